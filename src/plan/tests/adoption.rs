//! Taking over what exists already.
use super::table::{plan, table};
use crate::model::Expect;

#[test]
fn only_the_annotation_takes_over() {
    table(
        "
        wanted                     | live                  | plan
        room/1 a 10 adopt          | room/1 foreign 10     | = room/1
        room/1 a 10 adopt          | room/1 foreign 11     | = room/1; ~ room/1#1
        room/1 a 10 adopt          | -                     | + room/1
        room/1 a 10 adopt          | room/1 a 10           | same room 1
        room/1 a 10 adopt          | room/1 b 10           | conflict room/1
        room/1 a 10 adopt          | room/1 twice          | conflict room/1
        room/1 a 10 adopt observe  | room/1 foreign 10     | = room/1 withheld
        room/1 a 10 adopt ; door/1 b 10 needs=room/1 | room/1 foreign 10 | = room/1; + door/1 after room/1
        ",
    );
}

#[test]
fn an_adoption_expects_what_was_seen() {
    let plan = plan("room/1 a 10 adopt", "room/1 foreign 11");
    assert!(matches!(plan.steps[0].expect, Expect::Foreign(_)));
    assert_eq!(plan.steps[1].expect, Expect::AsLeft);
    assert!(plan.steps[1].needs.contains(&plan.steps[0].id));
}
