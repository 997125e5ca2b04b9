"""Pages for readers who decide: a case explained by concepts, and a portfolio of cases."""
