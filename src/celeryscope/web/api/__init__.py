"""One module a dialect: ours, Flower's, and what operators and scrapers ask for."""
