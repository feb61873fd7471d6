"""Any sequence of writes leaves what a few lines of Python say it should."""

from dataclasses import dataclass, field

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, update

from registry.store import entries, log_state, records
from registry.store.engine import Store
from registry.store.tables import DATA_KEY, ENTRY, EPOCH, LOG_STATE, RECORD, TERMINAL
from tests.store.rows import REGISTER, WITHDRAW, end, entry, found, register

STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("register"), st.integers(1, 4)),
        st.tuples(st.just("end"), st.integers(0, 30)),
        st.tuples(st.just("end twice"), st.integers(0, 30)),
        st.tuples(st.just("shred"), st.integers(0, 3)),
        st.tuples(st.just("fail"), st.integers(1, 3)),
    ),
    max_size=12,
)


@dataclass
class Model:
    kinds: list[int] = field(default_factory=list)
    alive: dict[int, records.NewRecord] = field(default_factory=dict)
    ended: dict[int, int] = field(default_factory=dict)
    shredded: set[int] = field(default_factory=set)
    watermark: int = 0


class Failed(Exception):
    pass


async def empty(store: Store) -> None:
    async with store.write() as connection:
        for table in (TERMINAL, DATA_KEY, RECORD, ENTRY, EPOCH, LOG_STATE):
            await connection.execute(delete(table))
        await found(connection)


async def take(store: Store, model: Model, step: str, number: int) -> None:
    async with store.write() as connection:
        match step:
            case "register":
                for record in await register(connection, number):
                    model.alive[record.register_index] = record
                    model.kinds.append(REGISTER)
            case "end" if number in model.alive and number not in model.ended:
                (model.ended[number],) = await end(connection, [number])
                model.kinds.append(WITHDRAW)
            case "end twice" if number in model.ended:
                index = await entries.append(connection, [entry(WITHDRAW)])
                model.kinds.append(WITHDRAW)
                assert not await records.insert_terminal(
                    connection, records.Terminal(number, index, records.RecordStatus.ERASED)
                )
            case "shred":
                ended = (await records.unshredded(connection))[: number + 1]
                await records.shred(connection, ended)
                model.shredded.update(ended)
                model.watermark = max(
                    [model.watermark, *(model.ended[index] + 1 for index in ended)]
                )
            case "fail":
                await register(connection, number)
                await connection.execute(update(LOG_STATE).values(shred_watermark=1000))
                raise Failed


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(steps=STEPS)
async def test_the_store_is_what_was_written(
    module_store: Store, steps: list[tuple[str, int]]
) -> None:
    await empty(module_store)
    model = Model()
    for step, number in steps:
        try:
            await take(module_store, model, step, number)
        except Failed:
            assert step == "fail"
    async with module_store.read() as connection:
        rows = await records.replay(connection, 0, 1000)
        assert await log_state.shred_watermark(connection) == model.watermark
        assert await records.unshredded(connection) == sorted(set(model.ended) - model.shredded)
    assert [(row.index, row.type) for row in rows] == list(enumerate(model.kinds))
    for row in rows:
        record = model.alive.get(row.index)
        gone = record is None or row.index in model.shredded
        assert row.record_id == (record.record_id if record else None)
        assert row.ciphertext == (None if gone else record.ciphertext)
        assert row.wrapped == (None if gone else record.wrapped)
        assert row.terminal_index == model.ended.get(row.index)
