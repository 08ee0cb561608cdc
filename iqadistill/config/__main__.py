"""What is generated from the settings: `python -m iqadistill.config schema` prints the JSON Schema of a study file,
`python -m iqadistill.config reference` the reference of its keys (docs/configuration.md). `make schema` writes both.
"""

import argparse
import json

from iqadistill.config.reference import reference
from iqadistill.config.study import Study, study_schema

TITLE = "Keys of a study file"


def main() -> None:
    """Print the document that the command line names."""
    parser = argparse.ArgumentParser(prog="python -m iqadistill.config")
    parser.add_argument("document", nargs="?", choices=("schema", "reference"), default="schema")
    if parser.parse_args().document == "schema":
        print(json.dumps(study_schema(), indent=2))
    else:
        print(reference(Study, TITLE), end="")


if __name__ == "__main__":
    main()
