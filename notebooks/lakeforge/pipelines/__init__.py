"""Silver and gold as a declarative pipeline: `compat` knows what the runtime offers, `define` says what the plan wants."""
