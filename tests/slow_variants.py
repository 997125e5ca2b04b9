"""Tests that take long and have a quicker one of their kind in the default suite; they run with -m slow.

Node ids, or how they begin.
"""

BROWSER = "tests/results/test_report_browser.py"
DOCS = "tests/test_docs_commands.py::test_the_commands_run_in_a_small_form"
HARNESS = "tests/harness"
FOREIGN = "tests/models/test_foreign_checkpoints.py::test_every_explainer_runs_or_is_left_out_with_its_reason"

SLOW_VARIANTS = (
    # The page with all that a page can have stays.
    *(
        f"{BROWSER}::test_axe_finds_nothing_and_only_tables_scroll_sideways[{page}"
        for page in ("rationales", "multi-label", "thirty explainers", "single label-dark")
    ),
    f"{BROWSER}::test_no_word_of_a_table_is_broken_on_a_phone[single label]",
    *(
        f"{BROWSER}::test_every_control_works_by_mouse_and_by_keyboard[{page}"
        for page in ("rationales", "multi-label")
    ),
    *(
        f"{DOCS}[{command}"
        for command in (
            "accidents.md: assay run task=planted_accidents",
            "choose_an_explainer.md: assay compare",
            "choose_an_explainer.md: assay run experiment=quickstart",
            "clusters.md: assay run experiment=quickstart hydra/launcher=workstation",
            "clusters.md: assay status",
            "compare.md: assay compare before after]",
            "compliance.md: assay run experiment=quickstart",
            "diagnostic_study.md: assay run experiment=diagnostic_study",
            "diagnostic_study.md: assay run experiment=tweet_sentiment task.path=tweets 'metri",
            "diffmask.md: assay run task=planted",
            "figures.md: assay run name=figures",
            "figures.md: assay table quickstart",
            "input_marginalization.md: assay run task=reviews",
            "knowledge.md: assay run experiment=embedding_knowledge]",
            "peers.md: assay run task=reviews",
            "recommend.md: assay recommend quickstart",
            "reproducer.md: assay run experiment=diagnostic_study",
            "researcher.md: assay plan",
            "vmask.md: assay run task=reviews",
            "multi_label.md: assay run experiment=",
            "tweet_sentiment.md: assay run experiment=diagnostic_study",
            "reproducer.md: assay claims diagnostic_study --published",
            "recommend.md: assay run experiment=quickstart",
            "figures.md: assay plot pareto quickstart",
        )
    ),
    "tests/test_docs_commands.py::test_the_workflow_that_compares_two_versions_runs",
    *(
        f"tests/test_docs_blocks.py::{test}"
        for test in ("test_the_lines_of_the_knowledge_page_run", "test_the_lines_of_the_page_on_concepts_run")
    ),
    *(
        f"{HARNESS}/{test}"
        for test in (
            "test_stale_status.py::test_status_never_says_done_from_an_old_plan",
            "test_progress.py::test_asking_a_run_where_it_is_changes_nothing",
            "test_groups.py::test_groups_name_what_depends_on_them_and_nothing_else",
            "test_own_models_and_data.py::test_a_checkpoint_and_its_untrained_twin",
            "test_own_models_and_data.py::test_several_labels_per_text",
            "test_variants.py::test_only_models_that_differ_in_their_seed_are_compared[model.training.epochs=1,2]",
            "test_variants.py::test_only_models_that_differ_in_their_seed_are_compared[limits.default.train=20,30]",
            "test_variants.py::test_only_models_that_differ_in_their_seed_are_compared[targets=all,gold]",
            "test_replaced_models.py::test_a_model_of_the_users_own_that_changed_is_asked_anew[network]",
            "test_odd_files.py::test_a_lost_folder_is_told_and_computed_anew[.]",
            "test_odd_files.py::test_a_lost_folder_is_told_and_computed_anew[scores]",
            "test_odd_files.py::test_a_lost_folder_is_told_and_computed_anew[seconds]",
            "test_odd_files.py::test_a_file_in_the_place_of_a_folder[cells/*]",
            "test_odd_files.py::test_a_file_in_the_place_of_a_folder[cells/*/seconds]",
            "test_check_model.py::test_a_model_of_single_texts_is_asked_one_by_one[alone_only]",
            "test_check_model.py::test_a_model_of_single_texts_is_asked_one_by_one[by_batch]",
            "test_check_model.py::test_a_run_refuses_what_would_be_wrong_numbers[padded]",
            "test_check_model.py::test_a_run_refuses_what_would_be_wrong_numbers[decided]",
            "test_compose.py::test_composing_once_gives_what_composing_each_trial_gives[model.name=a,b]",
            "test_compose.py::test_composing_once_gives_what_composing_each_trial_gives[task=planted]",
            "test_concepts_command.py::test_your_own_table_has_months_and_pages_about_the_label_that_you_choose[False]",
            "test_store_layout.py::test_exchanged_models_are_found_and_trained_anew[without cards]",
            "test_variants.py::test_no_two_trials_share_a_row[model.name=a,b",
            "test_variants.py::test_no_two_trials_share_a_row[limits.default.test=4,6",
            "test_variants.py::test_no_two_trials_share_a_row[limits.default={test:4}",
            "test_variants.py::test_no_two_trials_share_a_row[targets=gold",
            "test_variants.py::test_no_two_trials_share_a_row[shard=4",
            "test_variants.py::test_no_two_trials_share_a_row[explainer.lime.rows",
            "test_odd_files.py::test_the_next_run_computes_it_as_it_was[a folder-repair]",
            "test_odd_files.py::test_a_file_in_the_place_of_a_folder[trials/*]",
            "test_job.py::test_a_full_disk_stops_the_run_in_one_sentence_and_nothing_is_lost[3]",
            "test_job.py::test_a_full_disk_stops_the_run_in_one_sentence_and_nothing_is_lost[37]",
            "test_workers.py::test_the_workers_end_with_the_run[sigterm]",
            "test_workers.py::test_the_workers_end_with_the_run[sigkill]",
            "test_status.py::test_retry_of_a_trial_that_failed_as_a_whole_does_all_of_it[in portions]",
            "test_precision_settings.py::test_a_table_that_mixes_precisions_says_so",
            "test_modern_models.py::test_a_folder_goes_through_the_whole_chain[deberta_v3]",
            "test_knowledge.py::test_tables_and_figures_are_left_and_written_once",
            "test_end_to_end.py::test_explaining_one_class_leaves_out_what_needs_others",
            "test_concepts_command.py::test_tables_pages_and_explanations_are_left_and_made_once",
            "test_last_run.py::test_commands_take_the_name",
            "test_workers.py::test_one_trial_starts_no_process",
            "test_replaced_models.py::test_a_checkpoint_that_was_replaced_is_not_served_from_the_store",
            "test_pairs.py::test_every_kind_of_pair_is_compared_up_to_the_budget",
            "test_own_models_and_data.py::test_pairs_of_texts",
            "test_read_only.py::test_it_can_be_asked_and_what_would_change_it_is_refused",
            "test_workers.py::test_a_job_that_fails_is_no_end_of_the_others",
            "test_claims_command.py::test_published_numbers_stand_beside_in_terminal_and_report",
            "test_clean.py::test_what_given_experiments_do_not_use_goes_and_they_compute_nothing_anew",
        )
    ),
    "tests/metrics/test_contract.py::test_a_thousand_resamples_of_500_units_take_under_a_second",
    "tests/results/test_shortlist.py::test_a_page_of_many_groups_draws_the_first",
    "tests/explainers/test_processes.py::test_two_processes_give_what_one_gives",
    "tests/models/test_no_waiting.py::test_explainers_read_their_scores_when_all_is_queued[integrated_gradients",
    *(f"{FOREIGN}[{network}" for network in ("bert", "ernie", "big_bird", "longformer", "fnet", "t5")),
    *(
        f"tests/metrics/test_as_coded_transcription.py::{test}[{case}"
        for test, case in (
            ("test_pairs_of_models", "tweet_like-saliency_l1"),
            ("test_pairs_of_models_without_the_embedding_as_of_bert", "saliency_l1"),
        )
    ),
    *(
        f"tests/metrics/test_as_coded_transcription.py::{test}[tweet_like-{explainer}"
        for test in ("test_pairs_of_texts", "test_pairs_of_texts_without_the_embedding")
        for explainer in ("input_x_gradient_mean", "random")
    ),
    "tests/test_docs_blocks.py::test_the_lines_of_the_vmask_page_run",
    "tests/test_docs_blocks.py::test_models_are_checked_as_typed",
    # Of a page light and dark, wide and narrow: each once with each.
    *(
        f"tests/results/{test}-{look}]"
        for test, look in (
            ("test_concept_pages_browser.py::test_a_page_is_readable[cases/case-000003.html", "1400-True"),
            ("test_concept_pages_browser.py::test_a_page_is_readable[cases/case-000003.html", "420-False"),
            ("test_concept_pages_browser.py::test_a_page_is_readable[index.html", "1400-False"),
            ("test_concept_pages_browser.py::test_a_page_is_readable[index.html", "420-True"),
        )
    ),
    "tests/results/test_data_sheet_browser.py::test_it_is_readable[1400-False]",
    "tests/results/test_data_sheet_browser.py::test_it_is_readable[420-True]",
    *(
        f"tests/metrics/test_token_overlap.py::{test}[{metric}]"
        for test in ("test_random_gets_what_is_said", "test_oracle_above_random_above_inverted")
        for metric in ("token_f1 1", "iou_f1 3", "top_k_agreement 7")
    ),
    *(
        f"tests/models/test_checkpoint.py::test_texts_fill_the_positions_that_there_are[{network}-"
        for network in (
            "distilbert",
            "opt",
            "xlm-roberta",
            "mpnet",
            "camembert",
            "data2vec-text",
            "ibert",
            "yoso",
        )
    ),
    *(
        f"tests/models/test_reduced.py::test_networks_answer_near_float32[{network}-"
        for network in ("distilbert", "electra", "qwen2", "albert")
    ),
)
