"""The hardware: Amaranth, its Verilog, and what drives it in simulation."""
