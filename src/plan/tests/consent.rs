//! Consent covers the list that was shown and nothing else.
use super::table::{guards, plan};
use crate::{
    model::{DeclarationId, Plan},
    plan::{Approved, Guards, Refusal, review},
};

const LIVE: &str = "door/1 a 10; door/2 b 10; door/3 c 10; door/4 d 10; door/5 e 10";

fn digest(wanted: &str, live: &str) -> String {
    review(plan(wanted, live), &guards(live)).err().and_then(|refusal| refusal.digest).expect("refused, with a digest")
}

fn with(digest: &str, plan: Plan<String>, mut guards: Guards) -> Result<Approved<String>, Refusal> {
    guards.consent.digest = Some(digest.into());
    review(plan, &guards)
}

#[test]
fn the_digest_allows_exactly_its_list() {
    let given = digest("door/1 a 10", LIVE);
    let runs = |wanted: &str, live: &str| {
        with(&given, plan(wanted, live), guards(LIVE)).map(|approved| approved.steps().len())
    };
    assert_eq!(runs("door/1 a 10", LIVE).ok(), Some(4));
    assert_eq!(runs("door/1 a 11; gem/1 f 10", LIVE).ok(), Some(6), "what loses nothing is not on the list");
    assert!(runs("-", LIVE).is_err(), "one more");
    assert!(runs("door/2 b 10", LIVE).is_err(), "as many, but others");
    assert!(runs("door/1 a 10", &LIVE.replace("door/5 e", "door/5 f")).is_err(), "the same name, another object");
    assert!(runs("door/1 a 10", &LIVE.replace("5 e 10", "5 e 10 as=x")).is_err(), "the same object, another name");
    assert_eq!(digest("door/1 a 10", LIVE), given, "stable");
}

#[test]
fn what_needs_consent_is_withheld_and_the_rest_runs() {
    let wanted = "room/1 a 18; room/2 b 10; door/1 c 10 needs=room/1";
    let approved = review(plan(wanted, "-"), &Guards::default()).expect("not refused");
    let ids: Vec<String> = approved.steps().iter().map(|step| step.id.to_string()).collect();
    assert_eq!(ids, ["room/2#0", "door/1#0"], "the door stays in the list, and the executor blocks it");
    let [(id, why)] = approved.withheld() else { panic!("one withheld") };
    assert!(id.to_string() == "room/1#0" && why.starts_with("an 8 is unlucky; `--consent "), "{why}");
    let given = why.split(['`', ' ']).find(|word| word.len() == 12 && *word != "--consent").expect("a digest");
    let approved = with(given, plan(wanted, "-"), Guards::default()).expect("not refused");
    assert!(approved.withheld().is_empty() && approved.consented());
    let named = Guards {
        consent: crate::plan::Consent { digest: None, named: [DeclarationId::new("room", "a")].into() },
        ..Guards::default()
    };
    assert!(review(plan(wanted, "-"), &named).is_ok_and(|approved| approved.withheld().is_empty()));
}

/// Had the digest only the losses in it, consent to four doors would let an unlucky room through as well.
#[test]
fn consent_to_losses_does_not_cover_what_asked_later() {
    let given = digest("door/1 a 10", LIVE);
    let refused = with(&given, plan("door/1 a 10; room/1 f 18", LIVE), guards(LIVE));
    assert!(refused.is_err(), "the plan asks for more than was shown");
    let both = refused.err().and_then(|refusal| refusal.digest).expect("a digest");
    let approved = with(&both, plan("door/1 a 10; room/1 f 18", LIVE), guards(LIVE)).expect("allowed");
    assert!(approved.withheld().is_empty());
}
