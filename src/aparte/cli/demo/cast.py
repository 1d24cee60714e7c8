"""Who plays in the demonstration: twelve people of two languages, some of them with two devices."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody, whose profile has their user name."""

    username: str
    display_name: str
    bio: str
    device: str
    second: str = ""
    """The profile of another device, if they have one."""

    @property
    def profiles(self) -> tuple[str, ...]:
        """Their profiles, the first device first."""
        return (self.username, self.second) if self.second else (self.username,)


PEOPLE = (
    Person("alice", "Alice Moreau", "Jardinière, lectrice, maire adjointe.", "ordinateur", "alice-phone"),
    Person("bob", "Bob Carter", "Bakes bread. Slow at answering before ten.", "laptop", "bob-tablet"),
    Person("carol", "Carol Nwosu", "Reads three books at once.", "laptop"),
    Person("david", "David Lefèvre", "Vélo, montagne, et encore vélo.", "téléphone"),
    Person("emma", "Emma Dubois", "Photographe.", "ordinateur"),
    Person("farid", "Farid Benali", "Électricien. Je répare aussi les radios.", "téléphone"),
    Person("grace", "Grace Kim", "New here since May.", "phone"),
    Person("hugo", "Hugo Martin", "Tient l'épicerie de la place.", "ordinateur"),
    Person("ines", "Inès García", "Infirmière, chante faux mais fort.", "téléphone", "ines-tablet"),
    Person("jack", "Jack Wilson", "Sells anything that has wheels.", "phone"),
    Person("lea", "Léa Petit", "Étudiante, à la bibliothèque.", "téléphone"),
    Person("noor", "Noor Haddad", "Runs the cinema on Fridays.", "laptop"),
)
NAMES = tuple(person.username for person in PEOPLE)
