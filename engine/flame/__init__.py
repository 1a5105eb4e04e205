"""The head model: its data, its maths, its files. Everything takes the model as data."""
