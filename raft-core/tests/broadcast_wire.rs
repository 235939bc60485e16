//! Broadcasts as bytes: the set of members has one form.

mod support;

use quorum::{Member, MemberSet};
use raft_core::Broadcast;
use raft_core::wire::{self, Frame};
use support::past::command;
use support::solo::{Said, append};

/// The places of these, counted from 0.
fn places(places: &[usize]) -> MemberSet {
    places
        .iter()
        .filter_map(|place| Member::new(*place))
        .collect()
}

#[test]
fn sets_are_written_in_one_way() {
    let said = append((3, 1), 3, 2, &[(1, command(4, 1))]);
    let mut frame = [0; 128];
    for members in [places(&[0]), places(&[7, 8]), places(&[1, 63])] {
        said.with(1, 1, 0, |message| {
            let broadcast = Broadcast { members, message };
            let bytes = wire::encode_broadcast(&broadcast, &mut frame).unwrap();
            assert_eq!(bytes.len(), wire::encoded_broadcast_len(&broadcast));
            assert_eq!(wire::decode_frame(bytes), Ok(Frame::Many(broadcast)));
            // Whoever knows of no broadcasts passes it over.
            let kind = wire::DecodeError::UnknownKind(bytes[0]);
            assert_eq!(wire::decode(bytes), Err(kind));
            for len in 0..41 {
                assert!(wire::decode_frame(&bytes[..len]).is_err(), "{len}");
            }
            // A set of another length than it needs.
            let mut longer = bytes.to_vec();
            longer[1] += 1;
            longer.insert(20 + usize::from(bytes[1]), 0);
            assert_eq!(wire::decode_frame(&longer), Err(kind));
        });
    }
    for flags in [0, 9, 255] {
        let mut bytes = [0; 60];
        (bytes[0], bytes[1]) = (0x1d, flags);
        assert_eq!(
            wire::decode_frame(&bytes),
            Err(wire::DecodeError::UnknownKind(0x1d))
        );
    }
    said.with(1, 1, 0, |message| {
        let members = MemberSet::EMPTY;
        let nobody = Broadcast { members, message };
        let refused = Err(wire::EncodeError::NoBroadcast);
        assert_eq!(wire::encode_broadcast(&nobody, &mut [0; 128]), refused);
    });
    let message = Said::Vote { last: (1, 1) };
    message.with(1, 1, 0, |message| {
        let broadcast = Broadcast {
            members: places(&[1]),
            message,
        };
        let refused = Err(wire::EncodeError::NoBroadcast);
        assert_eq!(wire::encode_broadcast(&broadcast, &mut [0; 128]), refused);
        let mut frame = [0; 128];
        let bytes = wire::encode(&message, &mut frame).unwrap();
        assert_eq!(wire::decode_frame(bytes), Ok(Frame::One(message)));
    });
}
