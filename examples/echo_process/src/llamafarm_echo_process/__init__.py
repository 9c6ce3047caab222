"""The provider `echo`: models behind a program that answers on its standard output."""
