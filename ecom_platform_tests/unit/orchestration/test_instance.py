"""The laptop's ``dagster.yaml``, as Dagster understands it."""

from __future__ import annotations

import shutil
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.instance.ref import InstanceRef
from dagster._core.op_concurrency_limits_counter import GlobalOpConcurrencyLimitsCounter
from dagster._core.storage.dagster_run import RunOpConcurrency

from ecom_platform.orchestration.jobs import POOL

FILE = Path(__file__).parents[3] / "dagster.yaml"


@pytest.mark.filterwarnings("ignore:The `__fields__` attribute is deprecated")
def test_of_two_queued_runs_that_ingest_only_one_starts(tmp_path: Path) -> None:
    shutil.copyfile(FILE, tmp_path / "dagster.yaml")
    with dg.DagsterInstance.from_ref(InstanceRef.from_dir(str(tmp_path))) as instance:
        first, second, other = (
            dg.DagsterRun(
                job_name="ingest",
                run_op_concurrency=RunOpConcurrency(
                    root_key_counts={pool: 1}, has_unconstrained_root_nodes=False, all_pools={pool}
                )
                if pool
                else None,
            )
            for pool in (POOL, POOL, None)
        )
        # Dagster makes the pool's limit out of the file's default when it first hears of the pool.
        assert instance.event_log_storage.initialize_concurrency_limit_to_default(POOL)
        config = instance.get_concurrency_config()
        counter = GlobalOpConcurrencyLimitsCounter(
            instance,
            [first, second, other],
            [],
            concurrency_keys=instance.event_log_storage.get_concurrency_keys(),
            pool_limits=instance.event_log_storage.get_pool_limits(),
            slot_count_offset=config.run_queue_config.op_concurrency_slot_buffer,
            pool_granularity=config.pool_config.pool_granularity,
        )
        assert not counter.is_blocked(first)
        counter.update_counters_with_launched_item(first)
        assert counter.is_blocked(second)
        assert not counter.is_blocked(other)
