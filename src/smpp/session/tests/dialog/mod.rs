//! Every rule of how the SMPP link must behave, as a dialog: bytes in, bytes out.
//!
//! The rules are those that robust ESMEs keep, gathered by section; each has a dialog here that names it, or,
//! where it is about what happens behind the link, a test of that part (its module stands before its name).
//! [`play`] has the language.
//!
//! # Acknowledgement
//! | rule | shown by |
//! |---|---|
//! | ESME_ROK goes out only after the message is durable | `esme_rok_goes_out_only_after_the_message_is_durable`, `where_the_group_wants_it_esme_rok_waits_for_the_workers_commit` |
//! | fsyncs are grouped | `many_messages_wait_for_one_sync` |
//! | `overload_status` a link, ESME_RSYSERR by default | `the_overload_status_is_esme_rsyserr_or_what_the_link_says` |
//! | withhold, then answer it, then unbind | `under_overload_responses_are_withheld_then_refused_and_then_the_link_unbinds`, `overload` |
//! | never ESME_RX_P_APPN | the same; the configuration's check refuses it (`config-bad/link_values`) |
//! | malformed content is no error | `malformed_content_is_no_error` |
//!
//! # Framing
//! | rule | shown by |
//! |---|---|
//! | a length under 16: `generic_nack`, close, never resynchronise | `a_command_length_under_16_is_nacked_and_closes_without_resynchronising` |
//! | a length over the cap | `a_command_length_over_the_cap_is_nacked_and_closes`; bound anew then: `short-length`, `long-length` of the suite's `npm_smpp_in_every_scenario` |
//! | a full `message_payload` fits | `a_full_message_payload_of_65535_bytes_fits` |
//! | a PDU begun ends within 10 s | `a_pdu_that_is_begun_must_end_within_ten_seconds`; any cut: `pdus_come_whole_in_any_cut` |
//! | unknown `command_id`: `generic_nack`, same sequence number, the link stays | `an_unknown_command_is_nacked_with_the_same_sequence_number_and_the_link_stays` |
//! | ... with the response bit: ignored | `an_unknown_response_is_ignored` |
//! | an unreadable `deliver_sm` or `data_sm` is spooled raw, ESME_ROK | `a_deliver_sm_that_cannot_be_read_is_spooled_raw_and_answered_esme_rok`, `a_data_sm_that_cannot_be_read_is_spooled_raw_and_answered_esme_rok` |
//! | `tolerate_sm_length` of a link | `an_sm_length_that_says_too_much_is_taken_where_the_link_tolerates_it` |
//! | anything else gets its own response with an error | `a_request_that_an_esme_does_not_serve_gets_its_own_response_with_an_error`, `a_body_where_none_is_due_is_passed_over` |
//! | tolerated: no NUL in a full C-string | `a_missing_nul_at_the_end_of_a_c_string_that_fills_its_field_is_tolerated` |
//! | over-long addresses | `an_over_long_address_is_kept_whole` |
//! | trailing bytes | `bytes_after_the_short_message_are_tolerated` |
//! | TLVs cut short | `a_tlv_cut_short_costs_itself_alone` |
//! | unknown and vendor TLVs | `unknown_and_vendor_tlvs_are_passed_over` |
//! | reserved enum values | `reserved_enum_values_are_tolerated` |
//! | error responses with or without a body | `an_error_response_is_read_with_or_without_a_body` |
//! | an empty `message_id` | `an_empty_message_id_is_an_acceptance` |
//! | `generic_nack` with our sequence number | `a_generic_nack_with_our_sequence_number_fails_that_request_alone`, `a_generic_nack_of_the_bind_refuses_it` |
//! | ... with 0 | `a_generic_nack_with_sequence_0_is_logged_and_timeouts_decide` |
//!
//! # Content
//! | rule | shown by |
//! |---|---|
//! | an empty `short_message` | `an_empty_short_message_is_valid` |
//! | `message_payload` with all the text, with a header, both | `message_payload_may_carry_all_the_text`, `message_payload_may_carry_a_header_too`, `short_message_and_message_payload_are_kept_both` |
//! | `data_coding` 0 a link | `data_coding_0_is_what_the_link_says` |
//! | GSM 7-bit, extension, national tables | `gsm_7_bit_has_its_extension_table`, `a_national_single_shift_table_is_named_by_the_header`, `a_national_locking_shift_table_is_named_by_the_header`, `a_national_table_that_nobody_knows_falls_back_to_the_default_one`; all tables: `text::national` |
//! | Latin-1, ISO-8859-5, ISO-8859-8 | `latin_1_cyrillic_and_hebrew_are_read_by_their_data_coding` |
//! | UCS2, surrogates, odd bytes | `ucs2_has_surrogates_and_an_odd_byte_decodes_as_far_as_it_goes` |
//! | raw bytes are kept, and decoded again | `raw` in each of these; the suite's `once_the_links_setting_is_mended_what_was_set_aside_is_decoded_again_and_the_next_at_once` |
//! | submit responses and receipts are spooled | `what_submits_came_to_is_spooled_like_a_message` |
//! | concatenation by 8 and 16 bits and SAR | `parts_by_an_8_bit_reference_come_in_any_order`, `parts_by_a_16_bit_reference_are_put_together`, `parts_by_sar_tlvs_are_put_together`, `a_character_that_the_sender_cut_in_two_is_whole_again` |
//! | the key; references recur; twice; never | `intake::item::references_of_different_kinds_belong_to_different_texts`, `intake::reassemble::the_same_part_with_other_bytes_begins_a_new_text`, `missing_parts_are_marked_where_they_are_missing`, and the suite's `intake` |
//!
//! # Receipts
//! | rule | shown by |
//! |---|---|
//! | by `esm_class`, never by its text | `a_receipt_is_one_by_esm_class_and_never_by_its_text`, `a_receipt_whose_text_is_none_is_a_receipt_still_and_acknowledged`, `a_users_own_acknowledgement_is_a_message` |
//! | read as bytes, TLVs first | `its_text_is_read_as_bytes_whatever_the_alphabet`, `its_tlvs_go_before_its_text` |
//! | ids in every form | `ids_come_as_hex_where_the_response_had_decimal_padded_upper_cased_and_as_uuids` |
//! | `message_id_format` of a link | `ids_are_matched_as_the_link_says_that_its_smsc_writes_them`, the suite's `a_links_format_of_ids_finds_the_reply_for_sure_and_nothing_else` |
//! | before the `submit_sm_resp`, twice, unasked; always acknowledged | `a_receipt_before_the_submit_sm_resp_twice_or_unasked_is_spooled_and_acknowledged`, the suite's `receipts_find_their_reply_late_early_or_in_another_form` |
//! | through `data_sm`, on another bind | `a_receipt_through_data_sm_is_one`, the suite's `a_receipt_finds_its_reply_early_on_another_bind_on_another_link_and_after_a_restart` |
//! | per part | `each_part_of_a_long_text_has_an_id_of_its_own`, the suite's `a_text_of_several_segments_is_delivered_when_all_of_them_are` |
//! | intermediate notifications | `an_intermediate_notification_is_a_receipt_that_settles_nothing` |
//!
//! # Sessions
//! | rule | shown by |
//! |---|---|
//! | bind response within 10 s | `a_bind_response_comes_within_ten_seconds_or_the_session_ends`, `a_bind_response_that_comes_late_or_twice_changes_nothing`, `a_bind_response_may_have_a_body_or_none` |
//! | request timeout 10 s | `a_request_has_ten_seconds_and_its_outcome_is_unknown_then`, `a_link_with_another_timeout_has_it` |
//! | `enquire_link` after 30 s, two misses close | `after_thirty_seconds_of_silence_enquire_link_goes_out_and_two_misses_close` |
//! | any PDU counts as life | `any_pdu_counts_as_life` |
//! | ESME_RALYBND backs off with jitter | `esme_ralybnd_is_not_bound_and_backs_off_with_jitter_from_one_second_to_sixty` |
//! | a wrong password retries slowly and alarms | `a_wrong_password_retries_slowly`, the suite's `a_wrong_password_is_an_error_that_says_what_to_mend` |
//! | a `deliver_sm` before the `bind_resp` | `a_deliver_sm_before_the_bind_response_is_kept_and_answered_once_bound`, `only_a_few_are_kept_before_the_bind_response` |
//! | the SMSC's `unbind` | `an_unbind_of_the_smsc_waits_for_durable_acknowledgements_and_stops_submits`, `an_unbind_of_the_smsc_waits_for_responses_to_what_was_submitted`, `an_unbind_while_binding_or_while_we_unbind_is_answered` |
//! | our own stop | `our_own_stop_unbinds_and_goes_on_acknowledging_until_unbind_resp_or_five_seconds` |
//! | responses by sequence number alone, in any order | `responses_match_by_sequence_number_alone_in_any_order` |
//! | the wrap, and any 32-bit value from the peer | `our_sequence_numbers_wrap_at_0x7fffffff`, `any_32_bit_sequence_number_is_taken_from_the_peer` |
//! | unknown outcomes after a kill | `spool::a_submit_without_a_result_is_unknown_after_a_kill` |
//! | ... settled by a receipt | `a_receipt_of_a_submit_that_nobody_answered_is_spooled_for_it_to_be_settled`, the suite's `a_receipt_whose_id_nobody_told_settles_the_only_text_that_it_can_mean` |
//! | ... settled by a late response; the second attempt | `a_response_after_its_timeout_settles_what_was_unknown`, `a_session_that_ends_leaves_what_was_written_unknown`, `a_late_response_keeps_the_second_attempt_from_going_out`, the suite's `an_unknown_outcome_is_retried_once_and_then_stays_unknown`, `a_text_to_many_whose_outcome_is_unknown_is_never_sent_again` |
//! | throttling pauses the whole link, in order | `throttling_pauses_the_link_and_goes_on_in_order`, `a_pause_survives_a_reconnect_and_what_waited_goes_first`, `an_acceptance_of_what_was_written_before_the_smsc_throttled_does_not_shorten_the_next_pause`; all binds: `pace` |
//! | no TLVs to an SMSC that doesn't say that it knows them | `an_smsc_that_does_not_say_that_it_speaks_3_4_is_sent_no_tlvs` |
//! | pace by segment | `segments_are_paced_one_by_one` |
//! | `alert_notification`, `data_sm`, `outbind` | `alert_notification_has_no_response`, `data_sm_is_a_message_like_deliver_sm`, `outbind_is_not_used` |
//! | redeliveries, and genuine resends | `receiving::a_redelivery_of_what_is_in_doubt_is_recorded_as_one_and_only_once`, `an_observers_genuine_resend_is_a_message_of_its_own` |
//! | ... across hosts | the suite's `an_incident_delivered_to_another_host_after_the_first_one_died_is_one_and_a_second_equal_one_is_two` |
//! | never reply to machines, ourselves, or too often | `intake::decide::machines_and_our_own_number_are_never_answered`, the suite's `replies_past_the_limit_an_hour_are_withheld_and_the_reports_recorded` |
//!
//! [`submits`] has what is further said of submits: window, priorities, statuses, validity, long texts.

mod acknowledgement;
mod content;
mod framing;
mod play;
mod receipts;
mod sessions;
mod submits;

use super::*;
use play::Dialog;

impl Dialog {
    /// Sender of the last record.
    fn source(&self) -> &str {
        match self.records.last() {
            Some(Body::Message(mobile) | Body::Receipt(mobile)) => &mobile.source,
            other => panic!("{other:?}"),
        }
    }

    /// The next PDU that is sent.
    async fn frame(&mut self) -> Result<Frame, std::io::Error> {
        loop {
            if let Some(frame) = split(&mut self.rig.input).unwrap() {
                return Ok(frame);
            }
            if self.rig.io.read_buf(&mut self.rig.input).await? == 0 {
                return Err(std::io::ErrorKind::UnexpectedEof.into());
            }
        }
    }
}
