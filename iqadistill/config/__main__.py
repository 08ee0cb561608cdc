"""`python -m iqadistill.config > schemas/study.schema.json` writes the JSON Schema of a study."""

import json

from iqadistill.config.study import Study


def schema() -> dict:
    """JSON Schema of a study file as the models define it."""
    made = Study.model_json_schema()
    made["properties"].pop("grids")
    return made


if __name__ == "__main__":
    print(json.dumps(schema(), indent=2))
