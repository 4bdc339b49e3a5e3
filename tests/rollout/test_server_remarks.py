"""Which remarks of a server get into the journal."""

from ms5ops.rollout.server_remarks import worth_noting


def poor(chunk: str, ratio: str) -> str:
    return (
        f'WARNING:  poor compression ratio detected for chunk "{chunk}"\n'
        f'DETAIL:  Chunk "{chunk}" has a poor compression ratio: {ratio}.'
    )


def test_warnings_are_kept_once_for_each_kind_and_noise_is_not() -> None:
    other = "WARNING:  there was some uncertainty picking the default segment by"
    remarks = [
        "NOTICE:  drop cascades to 9 other objects",
        'WARNING:  column "id" should be used for segmenting or ordering',
        poor("_hyper_3_33_chunk", "0.80"),
        other,
        poor("_hyper_3_34_chunk", "0.75"),
        poor("_hyper_4_120_chunk", "0.9"),
    ]
    first = " ".join(poor("_hyper_3_33_chunk", "0.80").split())
    assert worth_noting(remarks) == (f"{first} (and 2 more like it)", " ".join(other.split()))
    assert worth_noting(remarks[2:3]) == (first,)
    assert worth_noting(["NOTICE:  nothing"]) == ()
