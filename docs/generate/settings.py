"""The settings, from their model."""

from docs.generate.markdown import code, sentence, table, type_of
from redrive.settings import Settings


def table_of_settings() -> str:
    """Every setting: name, environment variable, default, what is accepted, meaning with its unit."""
    bounds = Settings.model_json_schema()["properties"]
    rows = []
    for name, field in Settings.model_fields.items():
        spec = bounds[name]
        accepted = type_of(field.annotation)
        if "minimum" in spec:
            most = f" to {spec['maximum']:,}" if "maximum" in spec else " or more"
            accepted = f"{spec['minimum']:,}{most}"
        meaning = sentence(_capital(field.description or ""))
        both = f"{code(name)}<br>{code(f'REDRIVE_{name.upper()}')}"
        rows.append((both, _shown(field.default), accepted, meaning))
    return table(("setting, environment variable", "default", "accepted", "meaning"), rows)


def _shown(default: object) -> str:
    if default is None:
        return "none"
    if isinstance(default, bool):
        return code(str(default).lower())
    return f"{default:,}" if isinstance(default, int) else code(default)


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
