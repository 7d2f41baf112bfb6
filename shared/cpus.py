"""How many CPUs this process may use."""


def usable_cpus() -> int:
    """Count them: fewer than the machine's under an affinity mask or a cgroup's quota, and at least one."""
    from celery.utils.sysinfo import cpu_budget  # noqa: PLC0415 (what needs no count imports no Celery)

    return int(cpu_budget().count)
