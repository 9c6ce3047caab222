"""For the tests of plugins: what an author needs to try a provider against real sockets."""
