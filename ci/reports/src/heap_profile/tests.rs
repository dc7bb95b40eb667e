//! Profiles that are sound, and those that somebody damaged.

use super::*;
use crate::pprof::{Function, Line, Location, Mapping, Profile, Sample, ValueType};
use prost::Message as _;

/// One stack of two frames, the outer one of which is not known by name.
fn profile() -> Profile {
    let texts = [
        "",
        "inuse_space",
        "bytes",
        "shop::serve",
        "src/lib.rs",
        "/srv/shop",
        "b01d",
    ];
    Profile {
        sample_type: vec![ValueType { r#type: 1, unit: 2 }],
        sample: vec![Sample {
            location_id: vec![7, 8],
            value: vec![1_000],
            label: Vec::new(),
        }],
        mapping: vec![Mapping {
            id: 1,
            memory_start: 0x1000,
            file_offset: 0x200,
            filename: 5,
            build_id: 6,
            ..Mapping::default()
        }],
        location: vec![
            Location {
                id: 7,
                mapping_id: 1,
                address: 0x1010,
                line: vec![Line {
                    function_id: 3,
                    line: 50,
                }],
            },
            Location {
                id: 8,
                mapping_id: 1,
                address: 0x1020,
                line: Vec::new(),
            },
        ],
        function: vec![Function {
            id: 3,
            name: 3,
            filename: 4,
            system_name: 0,
        }],
        string_table: texts.map(str::to_owned).to_vec(),
        time_nanos: 5,
        period_type: Some(ValueType { r#type: 1, unit: 2 }),
        period: 524_288,
        ..Profile::default()
    }
}

fn read(profile: &Profile) -> Result<HeapProfile, Problem> {
    HeapProfile::from_reader(profile.encode_to_vec().as_slice())
}

#[test]
fn what_there_is_is_read() {
    let read = read(&profile()).expect("it is sound");
    assert_eq!(read.time_nanos, Some(5));
    assert_eq!(read.sampled_bytes, Some(524_288));
    assert_eq!(read.value, "inuse_space");
    assert_eq!(read.process.start, Some(0x1000));
    assert_eq!(read.process.program.as_deref(), Some("/srv/shop"));
    let stacks: Vec<_> = read.stacks().collect();
    assert_eq!(stacks, [(&[0, 1][..], 1_000)]);
    let [named, unnamed] = [0, 1].map(|at| &read.locations()[at][0]);
    assert_eq!(named.function.as_deref(), Some("shop::serve"));
    assert_eq!(
        (named.file.as_deref(), named.line),
        (Some("src/lib.rs"), Some(50))
    );
    let code = unnamed.code.as_ref().expect("it has an address");
    assert_eq!((&*code.module, code.at), ("/srv/shop", At::Offset(0x220)));
}

#[test]
fn addresses_may_be_those_of_the_file() {
    let mut moved = profile();
    (moved.mapping[0].memory_start, moved.mapping[0].file_offset) = (0, 0);
    let read = read(&moved).expect("it is sound");
    let code = read.locations()[1][0]
        .code
        .as_ref()
        .expect("it has an address");
    assert_eq!(code.at, At::Address(0x1020));
    assert_eq!(read.process.start, None);
}

/// A profile that is nearly sound.
#[track_caller]
fn check_refused(damage: impl FnOnce(&mut Profile)) {
    let mut damaged = profile();
    damage(&mut damaged);
    let result = read(&damaged);
    assert!(matches!(result, Err(Problem::NotPprof(_))), "{result:?}");
}

#[test]
fn what_refers_to_nothing_is_refused() {
    check_refused(|profile| profile.sample[0].location_id = vec![9]);
    check_refused(|profile| profile.sample[0].value.clear());
    check_refused(|profile| profile.location[0].line[0].function_id = 1);
    check_refused(|profile| profile.function[0].name = 7);
    check_refused(|profile| profile.function[0].filename = -1);
    check_refused(|profile| profile.mapping[0].filename = i64::MAX);
    check_refused(|profile| profile.sample_type.clear());
}

#[test]
fn values_below_zero_are_nothing() {
    let mut negative = profile();
    negative.sample[0].value = vec![-1];
    negative.time_nanos = -1;
    negative.period = -1;
    let read = read(&negative).expect("it is sound");
    assert_eq!(read.stacks().map(|(_, bytes)| bytes).sum::<u64>(), 0);
    assert_eq!((read.time_nanos, read.sampled_bytes), (None, None));
}

/// Each byte of a sound profile is changed, and it is cut off after each.
#[test]
fn nothing_makes_it_panic() {
    let sound = profile().encode_to_vec();
    for at in 0..sound.len() {
        for flip in [0x01, 0x07, 0x7f, 0x80, 0xff] {
            let mut damaged = sound.clone();
            damaged[at] ^= flip;
            let _ = HeapProfile::from_reader(damaged.as_slice());
        }
        let _ = HeapProfile::from_reader(&sound[..at]);
    }
}
