"""What ``--json`` prints, as a table of schemas and the fields of their models."""

from typing import get_args

from pydantic import BaseModel

from docs.generate.json_schemas import PRINTED
from docs.generate.markdown import code, prose, table, type_of


def _models() -> list[type[BaseModel]]:
    """The models that are printed, and those within them, each after the first that has it."""
    found: dict[type[BaseModel], None] = {}

    def add(annotation: object) -> None:
        if isinstance(annotation, type) and issubclass(annotation, BaseModel) and annotation not in found:
            found[annotation] = None
            for field in annotation.model_fields.values():
                add(field.annotation)
        for part in get_args(annotation):
            add(part)

    for printed in PRINTED.values():
        add(printed.model)
    return list(found)


def schemas() -> str:
    """The schemas, and the fields of the models that they share."""
    models = _models()
    links: dict[type, str] = {model: f"[{model.__name__}](#{model.__name__.lower()})" for model in models}
    rows = []
    for name, printed in PRINTED.items():
        parts = [links[printed.model]] if printed.model else []
        parts += [f"`{field}`: {kind}" for field, kind in printed.more]
        rows.append((code(f"redrive.{name}/1"), printed.shape, printed.commands, "; ".join(parts)))
    told = [table(("schema", "shape", "commands", "content"), rows)]
    for model in models:
        hints = {field: one.annotation for field, one in model.model_fields.items()}
        fields = table(("field", "type"), ((code(field), type_of(hint, field, links)) for field, hint in hints.items()))
        told.append(f"({model.__name__.lower()})=\n\n## {model.__name__}\n\n{prose(model.__doc__)}\n\n{fields}")
    return "\n".join(told)
