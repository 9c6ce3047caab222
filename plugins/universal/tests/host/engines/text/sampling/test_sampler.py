"""The random numbers of one sequence."""

from __future__ import annotations

from llamafarm_universal.host.engines.text.sampling import Sampler, Settings


def numbers(seed: int | None, count: int = 2000, offset: int = 0) -> list[tuple[float, float]]:
    sampler = Sampler(Settings(seed=seed), (), offset)
    drawn = []
    for _ in range(count):
        drawn.append(sampler.uniforms())
        sampler.add(0)
    return drawn


def test_they_depend_on_seed_position_and_trial_alone() -> None:
    assert numbers(5) == numbers(5)
    late = Sampler(Settings(seed=5), ())
    for _ in range(9):
        late.add(7)
    assert late.uniforms() == late.uniforms() == numbers(5)[9]
    assert late.uniforms(1) != late.uniforms()


def test_each_seed_and_each_answer_has_its_own() -> None:
    every = [numbers(seed, 1)[0] for seed in range(-50, 50)] + [numbers(2**63 - 1, 1)[0], numbers(-(2**63), 1)[0]]
    assert len(set(every)) == len(every)
    assert numbers(5, offset=3) == numbers(8)
    assert numbers(None, 1) != numbers(None, 1)


def test_they_are_even_and_below_one() -> None:
    for part in zip(*numbers(1, 20_000), strict=True):
        assert 0 <= min(part) < max(part) < 1
        counts = [sum(tenth / 10 <= number < (tenth + 1) / 10 for number in part) for tenth in range(10)]
        assert sum((count - 2000) ** 2 / 2000 for count in counts) < 27.9, "chi-square, 9 degrees, 0.1 %"
