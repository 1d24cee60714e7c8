"""People who live lives that Hypothesis thinks of, in a server's world."""

from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import RuleBasedStateMachine, run_state_machine_as_test


def lives(life: type[RuleBasedStateMachine], url: str, examples: int, steps: int) -> None:
    """Let people live so many lives of so many steps; one that ends badly is told as it was, which is soon enough."""
    run_state_machine_as_test(
        type("Lives", (life,), {"url": url}),
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            phases=[Phase.generate],
            deadline=None,
            derandomize=True,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
