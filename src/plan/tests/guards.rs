//! Guards count what people lose.
use super::table::{guards, plan};
use crate::{
    model::{DeclarationId, Loss},
    plan::{Guards, Refusal, review},
};

/// `count` doors, each of its own declaration, of which the first `stay` are still wanted.
fn doors(count: usize, stay: usize) -> (String, String) {
    let letters: Vec<char> = ('a'..='z').collect();
    // The uid says one letter sixteen times, so names tell them apart.
    let door = |n: usize| format!("door/{n} {} 10 as=d{n}", letters[n % 26]);
    let all = |count: usize| (1..=count).map(door).collect::<Vec<_>>().join("; ");
    (all(stay), all(count))
}

fn refusal(wanted: &str, live: &str, guards: &Guards) -> Option<Refusal> {
    review(plan(wanted, live), guards).err()
}

#[test]
fn a_few_or_a_tenth_may_go() {
    //    live, stay, refused
    let cases = [
        (1, 0, false),
        (2, 1, false),
        (2, 0, true),
        (3, 0, true),
        (4, 1, false),
        (5, 1, true),
        (20, 17, false),
        (20, 16, true),
        (40, 36, false),
        (40, 35, true),
        (100, 90, false),
        (100, 89, true),
    ];
    for (count, stay, refused) in cases {
        let (wanted, live) = doors(count, stay);
        let got = refusal(&wanted, &live, &guards(&live));
        assert_eq!(got.is_some(), refused, "{stay} of {count} stay: {got:?}");
    }
}

#[test]
fn a_refusal_says_what_is_lost_and_what_allows_it() {
    let (wanted, live) = doors(5, 1);
    let refusal = refusal(&wanted, &live, &guards(&live)).expect("refused");
    assert_eq!(refusal.reasons, ["4 of 5 door objects would be lost, more than 3"]);
    assert_eq!(refusal.losses.iter().map(|loss| &*loss.name).collect::<Vec<_>>(), ["d2", "d3", "d4", "d5"]);
    assert_eq!(refusal.digest.as_ref().map(String::len), Some(12));
}

#[test]
fn one_of_the_precious_is_too_many() {
    let live = "gem/1 a 10; gem/2 b 10";
    let refused = refusal("gem/1 a 10", live, &guards(live)).expect("refused");
    assert_eq!(refused.reasons, ["1 gem would be lost, and losing any is never done without consent"]);
    let mut named = guards(live);
    named.consent.named.insert(DeclarationId::new("gem", "b"));
    assert_eq!(refusal("gem/1 a 10", live, &named), None);
    named.consent.named = [DeclarationId::new("gem", "a")].into();
    assert!(refusal("gem/1 a 10", live, &named).is_some(), "consent to another object");
}

/// A replacement destroys, so it counts; what the mode keeps back does not.
#[test]
fn replacements_count_and_withheld_steps_do_not() {
    let live = "gem/1 a 10";
    assert!(refusal("gem/1 a 110", live, &guards(live)).is_some());
    assert!(refusal("gem/1 a 110 observe", live, &guards(live)).is_none());
}

/// Names that a delete takes along are lost too, although no resource counts them.
#[test]
fn parts_are_counted_without_a_population() {
    let lose = |count: usize| {
        let mut plan = plan("-", "door/1 a 10");
        let uid = plan.steps[0].mark.uid.clone();
        let part = |n| Loss { what: "host name".into(), name: format!("h{n}.test"), uid: uid.clone() };
        plan.steps[0].loses.extend((0..count).map(part));
        review(plan, &guards("door/1 a 10; door/2 b 10")).err().map(|refusal| refusal.reasons)
    };
    assert_eq!((lose(1), lose(3)), (None, None));
    assert_eq!(lose(4), Some(vec!["4 host name would be lost, more than 3".into()]));
}
