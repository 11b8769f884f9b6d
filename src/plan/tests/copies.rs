//! One uid stands for one room. A clone keeps its notes, so a second room with that uid is a copy that somebody made.
use super::table::{plan, table, words};

#[test]
fn copies_and_moved_keys_are_never_touched() {
    table(
        "
        wanted                       | live                                  | plan
        room/1 a 10                  | room/1 a 11 ; room/2 a 10             | ~ room/1; conflict room/2
        room/1 a 10                  | room/2 a 10                           | conflict room/1; conflict room/2
        room/1 a 10                  | room/2 a 10 ; room/3 a 10             | conflict room/1; conflict room/2; conflict room/3
        room/1 a 10 ; room/2 b 10    | room/2 a 10                           | conflict room/1; conflict room/2
        -                            | room/1 a 10 ; room/2 a 10             | conflict room/1; conflict room/2
        -                            | room/1 a 10 ; room/2 b 10             | - room/1; - room/2
        room/3 c 10                  | room/1 a 10 ; room/2 a 10             | + room/3; conflict room/1; conflict room/2
        ",
    );
}

#[test]
fn other_resources_may_have_several_objects_of_one_declaration() {
    table(
        "
        wanted                       | live                         | plan
        door/1 a 10                  | door/1 a 10 ; door/2 a 10    | - door/2; same door 1
        door/1 a 10 ; door/2 a 10    | door/2 a 10                  | + door/1; same door 1
        ",
    );
}

#[test]
fn copies_are_named_with_their_original() {
    insta::assert_snapshot!(words(&plan("room/1 a 10; room/5 e 10", "room/1 a 10; room/2 a 10; room/6 e 10")), @r"
        room/2: carries the mark of room/1: a copy of it; remove the stamp from the copy's notes
        room/5: its uid is carried by room/6; an id cannot be changed in place: put the old one back
        room/6: is the object of this declaration, which now asks for room/5; an id cannot be changed in place: put the old one back
    ");
}
