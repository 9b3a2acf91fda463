//! The claims, each against an empty store.

mod changes;
mod pages;
mod reads;
mod switches;

use holdfast_domain::ids::Epoch;
use holdfast_domain::log::{Hash, Position};
use holdfast_projections::document::{Document, Indexes, Key};
use holdfast_projections::ports::{Page, ReadStore, RowWrite, Target};
use holdfast_projections::registry::{Alteration, Checkpoint, GenerationId};

/// The view that the claims are made with.
const VIEW: &str = "things";

/// Makes every claim. `open` gives an empty store each time.
pub async fn passes<S: ReadStore>(open: impl AsyncFn() -> S) {
    pages::the_second_of_two_runners_loses(&open().await).await;
    pages::a_page_from_before_an_alteration_is_refused(&open().await).await;
    pages::a_refused_page_leaves_nothing_behind(&open().await).await;
    pages::documents_are_put_replaced_and_taken_away(&open().await).await;
    pages::a_building_generation_has_a_checkpoint_of_its_own(&open().await).await;
    reads::a_list_is_ordered_filtered_and_paged(&open().await).await;
    reads::a_partys_list_has_both_sides_in_order_and_nothing_twice(&open().await).await;
    reads::a_document_is_found_where_its_columns_say_now(&open().await).await;
    reads::what_is_read_belongs_to_one_position(&open().await).await;
    reads::a_parked_key_is_never_shown(&open().await).await;
    reads::a_scan_shows_everything_once(&open().await).await;
    changes::changes_come_in_order_once_and_by_topic(&open().await).await;
    changes::who_comes_back_too_late_is_told(&open().await).await;
    changes::what_was_let_go_of_is_swept_by_the_handful_and_nothing_else(&open().await).await;
    changes::age_is_judged_by_acceptance_and_a_wrong_clock_loses_nothing(&open().await).await;
    switches::a_generation_takes_over_and_is_taken_back(&open().await).await;
    switches::a_switch_makes_every_cursor_too_old(&open().await).await;
    switches::nobody_takes_over_from_another_position(&open().await).await;
    switches::what_is_dropped_is_gone_and_what_is_read_cannot_be(&open().await).await;
    switches::two_generations_are_compared(&open().await).await;
    switches::what_is_cleared_begins_anew_and_no_number_is_given_out_again(&open().await).await;
}

fn at(position: u64) -> Checkpoint {
    Checkpoint {
        position: Position(position),
        epoch: Epoch::from_uuid(uuid::Uuid::from_u128(1)),
        hash: Hash([u8::try_from(position % 251).unwrap(); 32]),
    }
}

/// An active generation of the view, before the first page.
async fn active(store: &dyn ReadStore) -> GenerationId {
    let generation = building(store, 1).await;
    let revision = store.registry().await.unwrap().revision;
    let activate = Alteration::Activate { generation, at: None };
    store.alter(revision, activate).await.unwrap();
    generation
}

async fn building(store: &dyn ReadStore, version: u32) -> GenerationId {
    let revision = store.registry().await.unwrap().revision;
    let build = Alteration::Build { view: VIEW.to_owned(), version };
    let registry = store.alter(revision, build).await.unwrap();
    registry.generations.last().unwrap().id
}

/// A page of the live views that changes nothing yet.
async fn page(store: &dyn ReadStore, position: u64) -> Page {
    let registry = store.registry().await.unwrap();
    Page {
        target: Target::Live,
        registry: registry.revision,
        expected: registry.live,
        next: at(position),
        writes: vec![],
        changes: vec![],
        parked: vec![],
    }
}

fn put(generation: GenerationId, key: &str, text: &str, indexes: Indexes) -> RowWrite {
    let row = Some((Document::stored(text), indexes));
    RowWrite { generation, key: Key::new(key), position: Position(1), row }
}
