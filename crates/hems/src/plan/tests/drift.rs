//! What other hands change, and a transmitter of which nobody speaks: the plan converges there too, whatever is lost.

use super::*;

/// Steps of a plan that knows nothing and finds nothing to do: methods, rows, values, the gate.
const READS_OF_ALL: usize = 4;

impl Cell {
    /// What other hands do.
    fn drift(&mut self, what: u8) {
        let row = self.rows.first().copied();
        match (what, row) {
            (0, _) => self.put(radio::TAC, "3", ValueKind::UnsignedInt),
            (1, _) => self.put(radio::ADMIN_STATE, "0", ValueKind::Boolean),
            (2, Some(row)) => self.put(&format!("{PLMN}{row}.Enable"), "0", ValueKind::Boolean),
            (3, Some(row)) => {
                self.rows.remove(0);
                self.values.retain(|path, _| !path.starts_with(&format!("{PLMN}{row}.")));
            }
            (4, _) => drop(self.add()),
            _ => {}
        }
    }
}

proptest! {
    #[test]
    fn d13_a_cell_whose_transmitter_nobody_speaks_of_is_as_it_was(
        on_air in any::<bool>(),
        fates in prop::collection::vec(fate(), 0..20),
    ) {
        let mut cell = Cell::new(&["00101".to_owned()], on_air, 1);
        let mut known = Known::default();
        let desired = Desired { admin_state: None, ..desired(&["99970"]) };
        converge(&mut cell, &desired, &mut known, &fates);
        prop_assert_eq!(cell.is_on_air(), on_air);
        prop_assert_eq!(cell.values[radio::TAC].0.as_str(), "7");
        prop_assert_eq!(is_in_service(&desired, &known, &Quirks::default()), on_air);
    }

    #[test]
    fn o03_what_other_hands_changed_is_as_desired_again(
        drifts in prop::collection::vec(0_u8..5, 1..8),
        fates in prop::collection::vec(fate(), 0..20),
    ) {
        let mut cell = Cell::new(&["00101".to_owned()], false, 1);
        let mut known = Known::default();
        let desired = desired(&["99970"]);
        converge(&mut cell, &desired, &mut known, &[]);
        // Another session, whose list has the rows that this one added.
        known.doubt(Timestamp::from_second(1).unwrap());
        converge(&mut cell, &desired, &mut known, &[]);
        for drift in drifts {
            cell.drift(drift);
        }
        known.doubt(Timestamp::from_second(2).unwrap());
        converge(&mut cell, &desired, &mut known, &fates);
        prop_assert!(cell.is_on_air() && is_in_service(&desired, &known, &Quirks::default()));
        let mut again = Known::default();
        prop_assert_eq!(converge(&mut cell, &desired, &mut again, &[]), READS_OF_ALL, "nothing differs");
    }
}
