"""`python -m iqadistill.config > schemas/study.schema.json` writes the JSON Schema of a study."""

import json

from iqadistill.config.study import study_schema

if __name__ == "__main__":
    print(json.dumps(study_schema(), indent=2))
