"""`aparte …` and `python -m aparte …`: hands the command line to `aparte.cli`."""


def main() -> None:
    """Run the command line."""
    from aparte.cli.main import run  # noqa: PLC0415 - workers start through here too and must not load the CLI

    run()


if __name__ == "__main__":
    main()
