"""How many threads the numeric libraries of each child may start: the CPUs this process may use, shared out."""

from collections.abc import Mapping, MutableMapping

from shared.cpus import usable_cpus

OPENMP = "OMP_NUM_THREADS"
# Each library reads its own when it is loaded, once. torch reads OpenMP's and MKL's; onnxruntime reads none of them, so
# a model on it hands OMP_NUM_THREADS on in its session's options, as models/ocr does.
VARIABLES = (
    OPENMP,
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "BLIS_NUM_THREADS",
)


def cap_threads(environment: MutableMapping[str, str], children: int) -> None:
    """Let the children share the CPUs: every library would start a thread per core in every child.

    Comes before anything imports numpy and the like, a model's schema.py included.
    """
    environment.update(thread_variables(environment, usable_cpus(), children))


def thread_variables(environment: Mapping[str, str], cpus: int, children: int) -> dict[str, str]:
    """Return the variables to set: none that is set already.

    What is set for OpenMP counts for the others too, as it does to most libraries if nothing more particular is said.
    """
    asked = environment.get(OPENMP, "").partition(",")[0].strip()  # "4,2" is for nested loops
    threads = asked if asked.isdecimal() else str(max(1, cpus // children))
    return {name: threads for name in VARIABLES if not environment.get(name)}
