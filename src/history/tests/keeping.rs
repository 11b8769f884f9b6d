//! What goes in comes out.
use super::{at, began, event, object, open};
use crate::{
    history::{Applied, Before, Began, Ended, History, Totals},
    model::Revision,
};
use std::collections::{BTreeMap, BTreeSet};

fn ended<'a>(
    seconds: i64,
    settled: &'a BTreeMap<crate::model::ObjectId, Revision>,
    gone: &'a BTreeSet<crate::model::ObjectId>,
) -> Ended<'a> {
    let totals = Totals { done: 1, failed: 2, blocked: 3, withheld: 4, waiting: 5, unchanged: 6 };
    Ended { at: at(seconds), exit_code: 4, totals, settled, gone, applied: true }
}

#[test]
fn a_pass_with_its_events() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("new/history.sqlite");
    let history = open(&path);
    let first = history.begin(&began(0, "c1")).expect("begins");
    history.event(first, at(1), &event("guest/101", "failed")).expect("records");
    history.event(first, at(2), &event("guest/101", "done")).expect("records");
    history.event(first, at(3), &event("dns-record/a.test/A", "done")).expect("records");
    history.finish(first, &ended(4, &BTreeMap::new(), &BTreeSet::new())).expect("ends");
    let second = history.begin(&Began { dry_run: true, commit: None, ..began(9, "") }).expect("begins");
    drop(history);

    let history = open(&path);
    let passes = history.last_passes(10).expect("reads");
    assert_eq!(passes.iter().map(|pass| pass.id).collect::<Vec<_>>(), [second, first]);
    assert_eq!(passes[1].began, began(0, "c1"));
    assert_eq!((passes[1].ended, passes[1].exit_code), (Some(at(4)), Some(4)));
    assert_eq!(passes[1].totals, Totals { done: 1, failed: 2, blocked: 3, withheld: 4, waiting: 5, unchanged: 6 });
    assert_eq!((passes[0].ended, passes[0].exit_code, passes[0].began.dry_run), (None, None, true));
    assert_eq!(history.last_passes(1).expect("reads").len(), 1);

    let last = history.last_event(&object("guest/101")).expect("reads").expect("there is one");
    let written = event("guest/101", "done");
    assert_eq!((last.pass, last.at, last.object, last.declared), (first, at(2), written.object, written.declared));
    assert_eq!((&*last.verb, &*last.outcome, last.took), ("create", "done", written.took));
    assert_eq!(last.message, written.message);
    assert_eq!(history.last_event(&object("guest/102")).expect("reads"), None);
    assert_eq!(history.events_of(first).expect("reads").len(), 3);
    assert_eq!(history.last_events(2).expect("reads")[0].object, object("dns-record/a.test/A"));
}

#[test]
fn what_was_desired_tells_git_from_drift() {
    let history = History::in_memory().expect("memory");
    let digest = |text: &str| Revision(text.into());
    let known = |history: &History| {
        history.desired_before("dc-lk", &[object("guest/101"), object("guest/102")]).expect("reads")
    };
    let mut settled = BTreeMap::from([(object("guest/101"), digest("one")), (object("guest/102"), digest("two"))]);
    for (seconds, commit) in [(0, "c1"), (10, "c2")] {
        let pass = history.begin(&began(seconds, commit)).expect("begins");
        history.finish(pass, &ended(seconds + 1, &settled, &BTreeSet::new())).expect("ends");
        settled.insert(object("guest/102"), digest("other"));
    }
    let pass = history.begin(&began(20, "c3")).expect("begins");
    history.finish(pass, &ended(21, &settled, &BTreeSet::new())).expect("ends");
    let before = known(&history);
    // Each stands since the commit that brought it, however often it was found so later.
    assert_eq!(before[&object("guest/101")], Before { digest: digest("one"), commit: Some("c1".into()), at: at(1) });
    assert_eq!(before[&object("guest/102")], Before { digest: digest("other"), commit: Some("c2".into()), at: at(11) });
    assert!(history.desired_before("other-site", &[object("guest/101")]).expect("reads").is_empty());
    let pass = history.begin(&began(30, "c4")).expect("begins");
    history.finish(pass, &ended(31, &BTreeMap::new(), &[object("guest/101")].into())).expect("ends");
    assert_eq!(known(&history).into_keys().collect::<Vec<_>>(), [object("guest/102")]);
}

#[test]
fn the_applied_commit_is_kept_by_site_and_only_when_it_was_applied() {
    let history = History::in_memory().expect("memory");
    let (none, gone) = (BTreeMap::new(), BTreeSet::new());
    assert_eq!(history.applied_commit("dc-lk").expect("reads"), None);
    let pass = history.begin(&began(0, "c1")).expect("begins");
    history.finish(pass, &ended(1, &none, &gone)).expect("ends");
    let pass = history.begin(&began(2, "c2")).expect("begins");
    history.finish(pass, &Ended { applied: false, ..ended(3, &none, &gone) }).expect("ends");
    let expected = Applied { source: "/srv/site".into(), commit: "c1".into(), at: at(1) };
    assert_eq!(history.applied_commit("dc-lk").expect("reads"), Some(expected));
    assert_eq!(history.applied_commit("dc-ab").expect("reads"), None);
}

#[test]
fn old_passes_are_forgotten_with_their_events() {
    let history = History::in_memory().expect("memory");
    let (none, gone) = (BTreeMap::new(), BTreeSet::new());
    for seconds in [0, 10, 20] {
        let pass = history.begin(&began(seconds, "c")).expect("begins");
        history.event(pass, at(seconds), &event("guest/101", "done")).expect("records");
        history.finish(pass, &ended(seconds + 1, &none, &gone)).expect("ends");
    }
    assert_eq!(history.forget_before(at(20)).expect("forgets"), 2);
    assert_eq!(history.last_passes(9).expect("reads").len(), 1);
    assert_eq!(history.last_events(9).expect("reads").len(), 1, "no event without its pass");
    assert!(history.applied_commit("dc-lk").expect("reads").is_some());
}

#[test]
fn the_end_of_a_pass_that_is_not_there_is_an_error() {
    let history = History::in_memory().expect("memory");
    let pass = history.begin(&began(0, "c1")).expect("begins");
    history.forget_before(at(1)).expect("forgets");
    let error = history.finish(pass, &ended(1, &BTreeMap::new(), &BTreeSet::new())).expect_err("it is gone");
    assert!(error.to_string().starts_with("could not record the end of the pass in the history"), "{error}");
    assert!(history.event(pass, at(1), &event("guest/101", "done")).is_err());
}
