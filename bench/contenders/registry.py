"""Everyone who takes part, in the order of the rounds."""

from bench.contenders import background, bentoml, ceilings, celery, dramatiq, penstock, rq, saq, taskiq
from bench.contenders.contender import Contender

MODULES = (penstock, ceilings, background, celery, rq, dramatiq, taskiq, saq, bentoml)
ALL: dict[str, Contender] = {
    contender.name: contender
    for contenders in (*(each.CONTENDERS for each in MODULES), penstock.MEMORY)
    for contender in contenders
}


def chosen(names: str) -> list[Contender]:
    """Return the contenders of a comma-separated list; an empty one means all.

    Raises:
        ValueError: with the name that is nobody's.
    """
    wanted = [name.strip() for name in names.split(",") if name.strip()]
    unknown = [name for name in wanted if name not in ALL]
    if unknown:
        raise ValueError(f"no contender is named {', '.join(unknown)}; there are {', '.join(ALL)}")
    return [ALL[name] for name in wanted or ALL]
