//! What may be done under one key: wanted or not, live or not, whose.
use super::table::{plan, table, words};

#[test]
fn wanted_live_and_marked() {
    table(
        "
        wanted               | live                    | plan
        -                    | -                       |
        -                    | room/1 foreign 10       |
        room/1 a 10          | -                       | + room/1
        room/1 a 10          | room/1 a 10             | same room 1
        room/1 a 10          | room/1 a 11             | ~ room/1
        room/1 a 10          | room/1 a 110            | - room/1; + room/1#1
        room/1 a 10          | room/1 foreign 10       | conflict room/1
        room/1 a 10          | room/1 b 10             | conflict room/1
        room/1 a 10          | room/1 a 10 other-site  | conflict room/1
        room/1 a 10          | room/1 twice            | conflict room/1
        -                    | room/1 twice            | conflict room/1
        -                    | room/1 a 10             | - room/1
        -                    | room/1 a 10 retain      | orphan room/1
        -                    | room/1 a 10 forbid      | conflict room/1
        room/1 a 10 ; room/1 b 10 | -                  | conflict room/1
        room/1 a 10 ; room/1 b 10 | room/1 a 11        | conflict room/1
        room/1 a 10 ; room/1 b 10 ; room/2 c 10 | -    | + room/2; conflict room/1
        room/1 a 10 ; room/2 b 10 | room/1 foreign 1 ; room/2 b 11 | ~ room/2; conflict room/1
        ",
    );
}

#[test]
fn a_stale_mark_is_written_anew() {
    table(
        "
        wanted                 | live                   | plan
        room/1 a 10 retain     | room/1 a 10            | ~ room/1
        room/1 a 10            | room/1 a 10 forbid     | ~ room/1
        room/1 a 10 serves=b   | room/1 a 10            | ~ room/1
        room/1 a 10 serves=b   | room/1 a 10 serves=c   | ~ room/1
        room/1 a 10 as=new     | room/1 a 10 as=old     | ~ room/1
        room/1 a 10 retain     | room/1 a 11            | ~ room/1
        room/1 a 10 as=new retain serves=b | room/1 a 10 as=new retain serves=b | same room 1
        ",
    );
    let step = &plan("room/1 a 10 as=new retain", "room/1 a 10 as=old").steps[0];
    assert_eq!(step.mark.deletion.to_string(), "retain", "the step carries the mark that is wanted");
    assert_eq!(step.declared.as_ref().map(ToString::to_string).as_deref(), Some("room/new"));
}

#[test]
fn modes_steer_one_object() {
    table(
        "
        wanted                             | live                | plan
        room/1 a 10 observe                | -                   | + room/1 withheld
        room/1 a 10 observe                | room/1 a 11         | ~ room/1 withheld
        room/1 a 10 observe                | room/1 a 110        | - room/1 withheld; + room/1#1 withheld
        room/1 a 10 observe                | room/1 a 10         | same room 1
        room/1 a 10 observe                | room/1 foreign 10   | conflict room/1
        room/1 a 10 paused                 | -                   |
        room/1 a 10 paused                 | room/1 a 11         |
        room/1 a 10 paused ; room/2 b 10   | room/1 a 11         | + room/2
        ",
    );
}

#[test]
fn forbidden_deletion_also_holds_for_a_replacement() {
    table(
        "
        wanted                | live                  | plan
        room/1 a 10 forbid    | room/1 a 110 forbid   | - room/1 blocked; + room/1#1
        room/1 a 10           | room/1 a 110 forbid   | - room/1; + room/1#1
        room/1 a 11 forbid    | room/1 a 10 forbid    | ~ room/1
        ",
    );
}

#[test]
fn remarks_stand_beside_what_stays() {
    table(
        "
        wanted               | live            | plan
        room/1 a 19          | room/1 a 19     | remark room/1; same room 1
        room/1 a 19 paused   | room/1 a 19     |
        room/1 a 10          | room/1 a 19     | ~ room/1; remark room/1
        ",
    );
}

#[test]
fn an_unavailable_inventory_is_neither_written_nor_emptied() {
    table(
        "
        wanted                      | live                     | plan
        room/1 a 10                 | room blind               | unseen room
        -                           | room blind               | unseen room
        room/1 a 10 ; door/1 b 10   | room blind               | + door/1; unseen room
        room/1 a 10                 | room blind ; gem/1 c 10  | - gem/1; unseen room
        -                           | room/1 a 10 ; door blind | - room/1 blocked; unseen door
        -                           | gem/1 a 10 ; door blind  | - gem/1; unseen door
        ",
    );
}

#[test]
fn every_conflict_says_who_and_what_to_do() {
    let plan = plan(
        "room/1 a 10; room/2 b 10; room/3 c 10; room/4 d 10; room/4 e 10",
        "room/1 foreign 10; room/2 f 10 as=old; room/3 twice; room/5 g 10 forbid; room/6 h 10 retain; door blind",
    );
    insta::assert_snapshot!(words(&plan), @r#"
        room/4: wanted by room/d and by room/e; give one of them another name, address or id
        room/1: is held by somebody; to take it over, annotate the manifest with `trueup/adopt: "1"`
        room/2: carries the uid ffffffffffffffff (room/old), but bbbbbbbbbbbbbbbb is wanted here; if the manifest was renamed, say `trueup/renamed-from: OLD-NAME` in it
        room/3: there are several: this, that; remove all but one of them by hand
        room/5: no manifest wants it, and its mark forbids deletion; bring the manifest back, or change its `trueup/deletion` first
        room/6: no manifest wants it; kept (policy retain); to have it removed, bring the manifest back with `trueup/deletion: delete`, reconcile, and remove it again
        door/*: could not look: no answer
    "#);
}
