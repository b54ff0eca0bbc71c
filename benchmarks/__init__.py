"""How fast the library is: against the plain reference implementations, and against this machine."""
