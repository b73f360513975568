"""Cifar-quick with operators: parameters and multiply-accumulates as published or recomputed."""

import pytest

from accelsim import networks

PARAMS = {
    "baseline": 117_034,
    "acb": 116_906,
    "acb:form=train": 149_226,
    "acb:taps=3,form=train": 136_554,  # the first release of the authors' code
    "superconv": 116_906,
    "superconv:form=train": 117_546,  # of three branches
    "doconv": 117_034,
    "maconv": 117_034,
}
MACS = {
    "baseline": 10_763_904,
    "acb": 10_763_904,
    "acb:form=train": 15_054_464,
    "superconv": 10_763_904,
    "superconv:form=train": 15_054_464,
    "doconv": 10_763_904,
}


@pytest.mark.parametrize("variant", PARAMS)
def test_parameters(variant):
    assert networks.cifar_quick(variant).total_params == PARAMS[variant]


@pytest.mark.parametrize("variant", MACS)
def test_multiply_accumulates(variant):
    assert networks.cifar_quick(variant).total_macs == MACS[variant]


def test_sp_mixconv_costs_what_mixconv_costs():
    """With dense groups, as Cifar-quick has no depthwise layer; biases in place of norms."""
    mixed = networks.cifar_quick("mixconv:dense=true")
    folded = networks.cifar_quick("sp_mixconv")
    assert folded.total_macs == mixed.total_macs
    assert mixed.total_params - folded.total_params == 32 + 32 + 64
