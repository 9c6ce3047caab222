"""The text engine: sequence, sampling, stop texts, detokenizing, scheduler, and the engine that ties them together."""
