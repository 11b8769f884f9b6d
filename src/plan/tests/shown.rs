//! A later wave does only what the first plan showed.
use super::table::{guards, plan};
use crate::plan::{Guards, Shown, review};

fn later_wave(shown: (&str, &str), now: (&str, &str)) -> (usize, usize) {
    let guards = Guards { shown: Some(Shown::of(&plan(shown.0, shown.1))), ..guards(now.1) };
    let approved = review(plan(now.0, now.1), &guards).expect("not refused");
    (approved.steps().len(), approved.withheld().len())
}

#[test]
fn same_object_no_worse_no_unseen_delete() {
    //   (wanted, live) first; then; (run, withheld)
    let cases = [
        (("room/1 a 10", "-"), ("room/1 a 10", "room/1 a 11"), (1, 0), "a create, then an update of the same"),
        (("room/1 a 10", "room/1 a 11"), ("room/2 b 10", "-"), (0, 1), "another object"),
        (("room/1 a 10", "room/1 a 11"), ("-", "room/1 a 10"), (0, 1), "a delete that was not shown"),
        (("-", "room/1 a 10"), ("-", "room/1 a 11"), (1, 0), "the delete that was shown"),
        (("room/1 a 10", "room/1 a 110"), ("room/1 a 10", "room/1 a 110"), (2, 0), "the replacement that was shown"),
        (("room/1 a 10", "room/1 a 11"), ("room/1 a 10", "room/1 a 110"), (1, 1), "an update became a replacement"),
        (("door/1 waits room/1", "-"), ("door/1 b 10", "-"), (1, 0), "what was shown as later"),
        (("door/1 waits room/1", "door/1 b 10"), ("-", "door/1 b 10"), (0, 1), "later is no consent to a delete"),
    ];
    for (first, now, expected, why) in cases {
        assert_eq!(later_wave(first, now), expected, "{why}");
    }
}

/// Later waves would be counted against a population that the first has already diminished.
#[test]
fn numbers_are_judged_once() {
    let live = "door/1 a 10; door/2 b 10; door/3 c 10; door/4 d 10; door/5 e 10";
    assert!(review(plan("-", live), &guards(live)).is_err());
    assert_eq!(later_wave(("-", live), ("-", live)), (5, 0));
}
