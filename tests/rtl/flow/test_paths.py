"""The slowest path in the words of the hardware: cells of one signal put together, delays added."""

from rtl.flow.paths import read_path

# As nextpnr-ecp5 0.11 reported them of an array of 2x2 and an engine of 2x2, cut in the middle.
CARRY = "grid.pe_0_0.acc_TRELLIS_FF_Q_DI_CCU2C_S0_COUT_CCU2C_CIN_COUT_CCU2C_CIN"
HOPS = (
    ("clk-to-q", 5.83, "left_banks.bank_0.0.0", "DOB5", "DOB5"),
    ("routing", 1.692, "left_banks.bank_0.0.0_DOB5_LUT4_B", "DOB5", "B"),
    ("logic", 0.236, "left_banks.bank_0.0.0_DOB5_LUT4_B", "B", "F"),
    ("routing", 1.225, "grid.pe_0_0.a_TRELLIS_FF_Q_5_DI_LUT4_Z", "F", "D"),
    ("logic", 0.236, "grid.pe_0_0.a_TRELLIS_FF_Q_5_DI_LUT4_Z", "D", "F"),
    ("routing", 1.413, "grid.pe_0_0.acc_next_7_MULT18X18D_P9", "F", "A5"),
    ("logic", 3.927, "grid.pe_0_0.acc_next_7_MULT18X18D_P9", "A5", "P4"),
    ("routing", 0.954, f"{CARRY}$CCU2_COMB0", "P4", "A"),
    ("logic", 0.447, f"{CARRY}$CCU2_COMB0", "A", "FCO"),
    ("routing", 0.0, "$nextpnr_CCU2C_25$CCU2_COMB0", "FCO", "FCI"),
    ("logic", 0.071, "$nextpnr_CCU2C_25$CCU2_COMB0", "FCI", "FCO"),
    ("routing", 0.0, f"{CARRY}$CCU2_COMB1", "FCO", "FCI"),
    ("logic", 0.403, f"{CARRY}$CCU2_COMB1", "FCI", "F"),
    ("routing", 0.711, "quiet_TRELLIS_FF_Q_30_DI_PFUMX_Z_BLUT_LUT4_Z", "F", "M"),
    ("logic", 0.165, "quiet_TRELLIS_FF_Q_30_DI_PFUMX_Z_BLUT_LUT4_Z", "M", "OFX"),
    ("routing", 0.132, "quiet_TRELLIS_FF_Q_30", "OFX", "DI"),
    ("setup", 0.0, "quiet_TRELLIS_FF_Q_30", "DI", "DI"),
)


def report(hops):
    return {
        "from": "posedge clk",
        "to": "posedge clk",
        "path": [
            {
                "type": kind,
                "delay": delay,
                "from": {"cell": "", "port": begin},
                "to": {"cell": cell, "port": end},
            }
            for kind, delay, cell, begin, end in hops
        ],
    }


def test_cells_of_a_signal_are_one_step():
    assert read_path([report(HOPS)], "clk") == (
        ("left_banks", "bank_0", "block RAM, LUT", 6.066, 1.692),
        ("grid.pe_0_0", "a", "LUT", 0.236, 1.225),
        ("grid.pe_0_0", "acc_next_7", "multiplier", 3.927, 1.413),
        ("grid.pe_0_0", "acc", "3 carries", 0.921, 0.954),
        ("", "quiet", "multiplexer, into a register", 0.165, 0.843),
    )


def test_a_path_ends_in_what_its_port_says():
    ends = {
        "CE": "into the enable of a register",
        "LSR": "into the reset of a register",
        "ADA12": "into a block RAM",
        "CEB": "into a block RAM",
        "B17": "into a multiplier",
        "WD0": "into WD0",
    }
    for port, said in ends.items():
        (step,) = read_path([report([("setup", 0.1, "part.word.0.0", port, port)])], "clk")
        assert step == ("part", "word", said, 0.1, 0.0)


def test_paths_from_and_to_ports_do_not_count():
    others = [report(HOPS[:1]) | {"from": "<async>"}, report(HOPS[:1]) | {"to": "<async>"}]
    assert len(read_path([*others, report(HOPS)], "clk")) == 5
