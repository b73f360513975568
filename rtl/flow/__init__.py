"""From Amaranth to Verilog, simulators, synthesis, generated pages and waves."""
