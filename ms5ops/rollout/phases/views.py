"""Monitoring views: v_retention_status goes with phase 3, all others with phase 4."""

from ms5ops.policy.document import PolicySet, ViewPolicy
from ms5ops.rollout.drafts import Draft
from ms5ops.rollout.operation import Estimate, Inverse, Lock, Operation, Phase, Verification
from ms5ops.rollout.records import State, View, plain
from ms5ops.rollout.sql_text import comment, grants, literal, name
from ms5ops.rollout.way_back import view_again

_OF_RETENTION = ("v_retention_status",)


def views(state: State, policy: PolicySet, phase: Phase) -> Draft:
    """The views of that phase: made where they are missing, made anew where their definition differs."""
    draft = Draft()
    for wanted in policy.views.values():
        if (wanted.name in _OF_RETENTION) is (phase == 3):
            _view(state, policy, wanted, phase, draft)
    return draft


def _view(state: State, policy: PolicySet, wanted: ViewPolicy, phase: Phase, draft: Draft) -> None:
    relation, actual = policy.qualified(wanted.name), state.view(wanted.name)
    twin = state.twins.views.get(wanted.name)
    if twin is None:
        draft.note("cannot", relation, f"The server does not take its body: {state.twins.problems.get(wanted.name)}.")
        return
    says = comment("VIEW", relation, wanted.comment)
    key = f"0{phase}.{wanted.name}.view"
    remark = Verification(
        f"SELECT coalesce(obj_description({literal(relation)}::regclass, 'pg_class'), '')", wanted.comment or ""
    )
    if actual is not None and actual.definition == twin:
        if wanted.comment is not None and wanted.comment != actual.comment:
            draft.add(
                Operation(
                    key=key,
                    phase=phase,
                    kind="comment",
                    target=relation,
                    title=f"Comment on {wanted.name}",
                    actual=actual.comment or "no comment",
                    desired=wanted.comment,
                    statements=(says,),
                    verification=remark,
                    lock=Lock("SHARE UPDATE EXCLUSIVE", relation, "a moment"),
                    inverse=Inverse((comment("VIEW", relation, actual.comment),)),
                    before={"comment": actual.comment},
                    privileges=(f"owner of {relation}",),
                )
            )
        return
    if actual is not None and actual.used_by:
        draft.note(
            "cannot",
            relation,
            f"Its definition differs, but {', '.join(actual.used_by)} depends on it: drop that first, then plan again.",
        )
        return
    draft.add(_made(state, wanted, phase, actual))


def _made(state: State, wanted: ViewPolicy, phase: Phase, actual: View | None) -> Operation:
    relation, twin = f"{state.schema}.{wanted.name}", state.twins.views[wanted.name]
    # Dropped, not replaced: CREATE OR REPLACE VIEW refuses when the columns differ.
    statements = [f"DROP VIEW {relation}"] if actual else []
    statements.append(f"CREATE VIEW {relation} AS\n{wanted.body.sql}")
    if actual:
        statements.append(f"ALTER VIEW {relation} OWNER TO {name(actual.owner)}")
        statements += grants(relation, actual.grants)
    text = wanted.comment if wanted.comment is not None else actual.comment if actual else None
    statements += [comment("VIEW", relation, text)] if text is not None else []
    back = [f"DROP VIEW {relation}", *(view_again(actual) if actual else [])]
    return Operation(
        key=f"0{phase}.{wanted.name}.view",
        phase=phase,
        kind="replace_view" if actual else "create_view",
        target=relation,
        title=f"{'Replace' if actual else 'Create'} the view {wanted.name}",
        actual="another definition" if actual else "no such view",
        desired=wanted.body.about,
        statements=tuple(statements),
        verification=Verification(
            f"SELECT (pg_get_viewdef({literal(relation)}::regclass) = {literal(twin)})::text", "true"
        ),
        lock=Lock("ACCESS EXCLUSIVE", relation, "a moment"),
        inverse=Inverse(tuple(back)),
        before=None if actual is None else plain(actual),
        estimate=Estimate(0, 0.1, "a row of the catalogue"),
        privileges=(f"CREATE on schema {state.schema}",),
    )
