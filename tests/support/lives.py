"""People who live lives that Hypothesis thinks of, in a server's world."""

from hypothesis import HealthCheck, settings
from hypothesis.stateful import RuleBasedStateMachine, run_state_machine_as_test


def lives(life: type[RuleBasedStateMachine], url: str, examples: int, steps: int) -> None:
    """Let people live so many lives of so many steps."""
    run_state_machine_as_test(
        type("Lives", (life,), {"url": url}),
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            derandomize=True,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
