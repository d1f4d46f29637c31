"""Releases of the template's prod: a good one goes through by itself, a bad one comes back by itself.

Given prod's Rollout, its analysis and its route, with two servers up; when a release is committed whose
servers do well, badly, or show nothing; then the Rollout moves the route's weights by its steps to the end,
or aborts at the first and leaves the old servers as they were, or waits for a person. Minutes of the
analysis are seconds here; conditions, limits and PromQL are the template's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from cluster.release import ABORTED, HELD, NAME, held

if TYPE_CHECKING:
    from cluster.conftest import Releases


def test_a_good_release_goes_through_its_steps_by_itself(releases: Releases) -> None:
    release, rollout = releases["good"].result()
    assert rollout["status"]["phase"] == "Healthy", release.timeline
    weights = [weight for _, _, weight, _ in release.timeline]
    assert [weight for i, weight in enumerate(weights) if weight and weight != weights[i - 1]] == [5, 25, 50, 100]
    assert len(release.after) == 2
    assert not release.after & release.before


@pytest.mark.parametrize("behaviour", ABORTED)
def test_a_bad_release_comes_back_by_itself_with_nothing_lost(releases: Releases, behaviour: str) -> None:
    release, rollout = releases[behaviour].result()
    assert rollout["status"]["abort"], release.timeline
    assert max(weight for _, _, weight, _ in release.timeline) == 5, release.timeline
    assert release.after == release.before
    assert release.weights() == {f"{NAME}-stable": 100, f"{NAME}-canary": 0}


@pytest.mark.parametrize("behaviour", HELD)
def test_a_release_that_shows_nothing_is_never_promoted(releases: Releases, behaviour: str) -> None:
    release, rollout = releases[behaviour].result()
    assert held(rollout), release.timeline
    assert max(weight for _, _, weight, _ in release.timeline) == 5, release.timeline
    assert release.after == release.before
