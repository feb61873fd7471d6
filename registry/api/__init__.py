"""The GraphQL edge, thin: it parses, calls one service, and says what became of it."""
