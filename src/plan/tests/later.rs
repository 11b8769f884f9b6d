//! What waits is shown as later: never deleted, never an error.
use super::table::{plan, settled_rooms, table};
use crate::model::{Disruption, Verb};

#[test]
fn waiting_is_no_step_and_no_delete() {
    table(
        "
        wanted                        | live                    | plan
        door/1 waits room/1           | -                       | later door/1 on room/1
        door/1 waits room/1           | door/1 b 10             | later door/1 on room/1
        door/1 waits room/1           | door/1 foreign 10       | later door/1 on room/1
        door/1 waits room/1           | door/1 twice            | later door/1 on room/1
        door/1 waits room/1           | door blind              | unseen door
        ",
    );
}

#[test]
fn what_needs_something_that_comes_later_comes_later_too() {
    table(
        "
        wanted                                                                | live         | plan
        door/1 waits room/1 ; gem/1 c 10 needs=door/1                         | -            | later door/1 on room/1; later gem/1 on door/1
        door/1 waits room/1 ; gem/1 c 10 needs=door/1                         | door/1 b 10  | + gem/1; later door/1 on room/1
        door/1 waits room/1 ; gem/1 c 10 needs=door/1 ; gem/2 d 10 needs=gem/1 | -           | later door/1 on room/1; later gem/1 on door/1; later gem/2 on gem/1
        door/1 waits room/1 ; gem/1 c 10 needs=door/1 ; gem/2 d 10 needs=gem/1 | gem/1 c 11  | + gem/2; later door/1 on room/1; later gem/1 on door/1
        door/1 waits room/1 ; gem/1 c 10 needs=door/1                         | gem/1 c 110  | - gem/1 blocked; + gem/1#1 blocked; later door/1 on room/1
        door/1 waits room/1 ; gem/1 c 10 needs=door/1 observe                 | -            | + gem/1 blocked withheld; later door/1 on room/1
        ",
    );
    let plan = plan("door/1 waits room/1; gem/1 c 10 needs=door/1", "gem/1 c 11");
    let later = &plan.later[1];
    assert_eq!((later.verb, later.disrupts, later.sketch.as_str()), (Verb::Update, Disruption::Nothing, "size 10"));
}

/// What is about to be made, changed in what others read, or removed, is hidden from those who are planned after it.
#[test]
fn later_resources_read_only_what_is_settled() {
    let settled = |wanted, live| settled_rooms(wanted, live);
    assert_eq!(
        settled("room/1 a 10; room/2 b 10", "room/1 a 10; room/2 b 11"),
        [1, 2],
        "an update that settles nothing"
    );
    assert_eq!(settled("room/1 a 10", "room/1 a 110; room/2 b 10"), Vec::<u32>::new(), "replaced and deleted");
    assert_eq!(settled("room/1 a 10", "room/1 b 10"), Vec::<u32>::new(), "in conflict");
    assert_eq!(settled("room/1 a 10 observe", "room/1 a 110"), [1], "kept back, so it stays");
    assert_eq!(settled("-", "room/1 a 10 retain"), [1]);
}
