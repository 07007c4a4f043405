"""Which tests show each refusal: when it is not said, when it is said, and that nothing is written when it is said.

``not-allowed`` is said for many reasons: each command, with what it is said of, has a line of its own. The tests of a
rule (``tests/domain``) always assert that the rule left the state alone; those of an engine look at the log.
"""

from typing import NamedTuple


class Shown(NamedTuple):
    """Three tests, as ``file::name`` below tests/, without ``.py``."""

    allowed: str
    refused: str
    nothing: str


DISPOSITIONS, LETTERS, EFFECT = "domain/test_dispositions", "domain/test_dead_letter", "domain/test_effect"
OPERATIONS, ASKED = "processes/test_operations", "engine/test_refusals"
COMPENSATION, COMPENSATIONS = "domain/test_compensation", "engine/test_compensations"
CLAIMS, CONTROL, WAITS, ATTEMPTS = (
    f"domain/test_{name}" for name in ("claims", "control", "stateful_waits", "attempts")
)
LEASES, REPORTS = "processes/test_leases", "processes/test_reports"

SETTLING = Shown(
    f"{DISPOSITIONS}::test_whatever_is_unsettled_can_be_settled",
    f"{DISPOSITIONS}::test_what_is_settled_is_not_settled_again",
    f"{OPERATIONS}::test_commands_on_a_dead_letter",
)
STEP = f"{COMPENSATION}::test_each_step_follows_from_one_status"
OTHER_REPORT = f"{ASKED}::test_another_report_of_an_ended_compensation"

SHOWN: dict[str, Shown] = {
    "not-running": Shown(
        f"{REPORTS}::test_the_same_report_again_is_one_event_and_the_same_answer",
        f"{ATTEMPTS}::test_a_late_report_is_refused",
        f"{REPORTS}::test_first_of_all_the_run_must_be_running",
    ),
    "stale-epoch": Shown(
        f"{CLAIMS}::test_a_heartbeat_extends_the_lease",
        f"{CLAIMS}::test_only_the_holder_may_renew_or_release",
        f"{REPORTS}::test_then_the_epoch_must_be_the_claims",
    ),
    "stale-attempt": Shown(
        f"{ATTEMPTS}::test_the_same_report_three_times_is_recorded_once",
        f"{ATTEMPTS}::test_another_outcome_of_the_same_attempt_is_stale",
        f"{REPORTS}::test_then_the_attempt_must_be_the_running_one",
    ),
    "key-reused": Shown(
        "processes/test_intake::test_the_same_key_is_the_same_run",
        f"{EFFECT}::test_a_success_does_not_answer_another_request",
        "processes/test_intake::test_the_same_key_with_another_flow_or_input_is_refused",
    ),
    "node-not-ready": Shown(
        f"{ATTEMPTS}::test_a_ready_node_starts",
        f"{ATTEMPTS}::test_a_start_is_refused",
        f"{LEASES}::test_a_node_that_cannot_start_is_refused",
    ),
    "attempts-running": Shown(
        f"{CLAIMS}::test_a_released_run_is_queued",
        f"{CLAIMS}::test_a_claim_is_not_released_while_attempts_run",
        f"{LEASES}::test_a_release_is_refused_while_attempts_run",
    ),
    "limit-reached": Shown(
        "processes/test_limits::test_a_start_without_room_is_refused_only_after_other_reasons",
        "processes/test_limits_rates::test_a_start_beyond_a_rate_says_when_to_try_again",
        "processes/test_limits::test_one_slot_of_a_resource_starts_one_attempt",
    ),
    "retry-unavailable": Shown(
        f"{LETTERS}::test_a_retry_is_requested_of_an_open_dead_letter",
        f"{LETTERS}::test_the_options_are_derived_from_the_run",
        "processes/test_operations_rules::test_a_retry_of_a_cancelled_runs_dead_letter_is_unavailable",
    ),
    "budget-spent": Shown(
        f"{LETTERS}::test_a_retry_is_requested_of_an_open_dead_letter",
        f"{LETTERS}::test_a_retry_on_a_spent_budget_is_refused_until_it_is_granted",
        "processes/test_operations_rules::test_a_request_on_a_spent_budget_is_refused",
    ),
    "in-flight": Shown(
        "engine/test_effects::test_once_it_has_an_outcome_others_may_send_it",
        "domain/test_effect_letters::test_what_is_being_sent_is_not_compensated",
        "engine/test_effects::test_while_it_is_sent_nobody_else_sends_it",
    ),
    "compensated": Shown(
        "engine/test_compensated::test_what_awaits_approval_may_still_be_done",
        "engine/test_compensated::test_a_receipt_does_not_stand_once_it_was_made_good_for",
        "engine/test_compensated::test_what_is_made_good_for_is_not_done_again",
    ),
    "outcome-pending": Shown(
        f"{ASKED}::test_whatever_became_of_its_effect_an_attempt_may_snooze",
        f"{ASKED}::test_a_handler_that_snoozes_while_it_sends_is_refused",
        "engine/test_effects::test_an_effect_that_lacks_an_outcome_forbids_to_snooze",
    ),
    "payload-destroyed": Shown(
        "privacy/test_encryption::test_the_same_key_is_the_same_run",
        "privacy/test_destruction::test_nothing_is_executed_with_a_payload_that_is_gone",
        "privacy/test_destruction::test_an_effect_is_not_sent_again",
    ),
    "payload-locked": Shown(
        "privacy/test_encryption::test_whoever_has_the_key_sees_everything",
        "privacy/test_encryption::test_without_the_key_nothing_is_decided",
        "cli/test_privacy::test_without_the_key_a_run_is_listed_and_nothing_is_done",
    ),
    "stream-read-only": Shown(
        "engine/test_hard_cases_unknown::test_an_unknown_event_makes_a_queued_run_unclaimable",
        "ledger/test_states::test_a_stream_with_an_unknown_event_is_read_only",
        f"{ASKED}::test_what_a_newer_version_wrote_to_is_not_continued",
    ),
    "wrong-shard": Shown(
        "sharding/test_placement::test_a_log_that_stands_alone_knows_no_places",
        "sharding/test_placement::test_a_log_opened_by_itself_serves_its_own_tenants",
        "sharding/test_placement::test_routers_that_know_different_sets_never_split_a_tenant",
    ),
    "one-shard-only": Shown(
        "sharding/test_sharded_engine::test_each_log_answers_for_itself",
        "sharding/test_sharded_engine::test_a_batch_takes_commands_of_tenants_only",
        "sharding/test_sharded_engine::test_what_concerns_one_log_is_asked_of_one",
    ),
    "claim run": Shown(
        f"{CLAIMS}::test_a_claim_raises_the_epoch_and_sets_the_lease",
        f"{CLAIMS}::test_a_claim_is_refused",
        "engine/test_stateful_waits::test_a_run_that_only_waits_is_no_workers",
    ),
    "reclaim run": Shown(
        f"{CLAIMS}::test_an_expired_claim_is_taken_back_and_its_attempt_counts",
        f"{CLAIMS}::test_only_a_running_run_can_be_reclaimed",
        f"{CLAIMS}::test_a_backward_clock_reclaims_nothing_that_is_alive",
    ),
    "pause run": Shown(
        f"{CONTROL}::test_a_pause_is_accepted",
        f"{CONTROL}::test_a_pause_is_refused",
        f"{OPERATIONS}::test_commands_on_a_run",
    ),
    "resume run": Shown(
        f"{CONTROL}::test_a_resumed_run_settles",
        f"{CONTROL}::test_only_a_pause_can_be_resumed",
        f"{OPERATIONS}::test_commands_on_a_run",
    ),
    "cancel run": Shown(
        f"{CONTROL}::test_a_run_can_be_cancelled",
        f"{CONTROL}::test_a_final_run_cannot_be_cancelled",
        f"{OPERATIONS}::test_commands_on_a_run",
    ),
    "requeue run": Shown(
        f"{CONTROL}::test_a_failed_or_blocked_run_is_requeued",
        f"{CONTROL}::test_nothing_else_is_requeued",
        f"{OPERATIONS}::test_commands_on_a_run",
    ),
    "approve node": Shown(
        f"{WAITS}::test_an_approval_makes_its_children_ready",
        f"{WAITS}::test_what_is_not_pending_cannot_be_decided",
        "engine/test_stateful_waits::test_what_cannot_be_decided_is_refused",
    ),
    "deny node": Shown(
        f"{WAITS}::test_a_denial_ends_the_run_as_the_nodes_policy_says",
        f"{WAITS}::test_what_is_not_pending_cannot_be_decided",
        "engine/test_stateful_waits::test_what_cannot_be_decided_is_refused",
    ),
    "retry dead letter": Shown(
        f"{LETTERS}::test_a_retry_is_requested_of_an_open_dead_letter",
        f"{LETTERS}::test_a_retry_is_refused",
        f"{OPERATIONS}::test_commands_on_a_dead_letter",
    ),
    "grant retries to dead letter": Shown(
        f"{LETTERS}::test_a_grant_moves_open_and_parked",
        f"{LETTERS}::test_a_grant_to_what_is_settled_is_refused",
        f"{OPERATIONS}::test_a_grant",
    ),
    "ignore dead letter": SETTLING,
    "abandon dead letter": SETTLING,
    "resolve dead letter": SETTLING,
    "reopen dead letter": Shown(
        f"{DISPOSITIONS}::test_a_settled_one_can_be_reopened",
        f"{DISPOSITIONS}::test_what_is_not_settled_is_not_reopened",
        f"{OPERATIONS}::test_commands_on_a_dead_letter",
    ),
    "compensate dead letter": Shown(
        "domain/test_effect_letters::test_whatever_is_unsettled_can_be_compensated",
        "domain/test_effect_letters::test_what_is_settled_is_not_compensated",
        f"{COMPENSATIONS}::test_an_effect_without_a_description_cannot_be_compensated",
    ),
    "send effect": Shown(
        f"{EFFECT}::test_what_did_not_happen_may_be_sent_again",
        f"{EFFECT}::test_whatever_may_have_happened_is_not_sent",
        "engine/test_effect_reconcilers::test_without_a_reconciler_it_stays_unknown",
    ),
    "withhold effect": Shown(
        f"{EFFECT}::test_the_gate_withholds_what_would_be_sent",
        f"{EFFECT}::test_what_went_out_is_not_withheld",
        "engine/test_effect_gate::test_the_gate_does_not_hide_what_was_done",
    ),
    "reconcile effect": Shown(
        f"{EFFECT}::test_an_unknown_outcome_can_be_found_out",
        f"{EFFECT}::test_what_is_known_is_not_reconciled",
        "engine/test_effect_reconcilers::test_what_is_known_is_not_reconciled",
    ),
    "report on effect": Shown(
        f"{EFFECT}::test_the_outcome_of_an_intent_is_recorded",
        f"{EFFECT}::test_a_try_that_never_was_has_no_outcome",
        "engine/test_effects::test_a_report_of_a_try_that_never_was_is_refused",
    ),
    "choose compensation": Shown(
        f"{COMPENSATION}::test_a_chosen_one_waits_for_approval",
        STEP,
        f"{COMPENSATIONS}::test_a_settled_dead_letter_cannot_be_compensated",
    ),
    "approve compensation": Shown(
        f"{ASKED}::test_a_compensation_is_approved_once",
        STEP,
        f"{COMPENSATIONS}::test_a_success_cancels_what_nobody_approved",
    ),
    "start compensation": Shown(
        f"{COMPENSATION}::test_each_run_raises_the_epoch", STEP, f"{COMPENSATIONS}::test_two_workers_run_it_once"
    ),
    "run again compensation": Shown(
        f"{COMPENSATIONS}::test_a_compensator_that_crashes_leaves_an_unknown_outcome",
        STEP,
        f"{ASKED}::test_a_compensation_that_is_over_is_over",
    ),
    "cancel compensation": Shown(
        f"{COMPENSATION}::test_what_is_not_final_can_be_cancelled",
        f"{COMPENSATION}::test_a_completed_run_is_final",
        f"{ASKED}::test_a_compensation_that_is_over_is_over",
    ),
    "complete compensation": Shown(
        f"{COMPENSATION}::test_a_run_ends_well_or_badly",
        f"{COMPENSATION}::test_another_report_of_an_ended_run_is_refused",
        OTHER_REPORT,
    ),
    "fail compensation": Shown(
        f"{COMPENSATION}::test_a_run_ends_well_or_badly",
        f"{COMPENSATION}::test_another_report_of_an_ended_run_is_refused",
        OTHER_REPORT,
    ),
}
