"""What goes wrong with orders."""


class CardDeclined(Exception):
    """The card cannot be charged, now or later."""


class WarehouseBusy(Exception):
    """The warehouse did not answer; it may when asked again."""
