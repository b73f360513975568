// Streams words through the Verilator model of a post-processing unit, without Python.
//
// usage: core DIRECTORY COMMANDS FILLS WORDS IDLE DEAF   (payloads of each stream; of 256 clocks so
// many in which nothing is offered, or nothing taken)
// reads commands.bin, table_fill.bin and words.bin, writes results.bin and clocks.txt

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "Vtop.h"
#include "verilated.h"

namespace {

class Stream {
public:
    Stream(const std::string& path, size_t count) : count_(count) {
        std::ifstream file(path, std::ios::binary);
        bytes_.assign(std::istreambuf_iterator<char>(file), {});
        width_ = count ? bytes_.size() / count : 0;
    }
    size_t count() const { return count_; }

    // Port is an integer or, above 64 bits, an array of 32-bit words, least significant first.
    template <class Port> void put(Port& port, size_t index) const {
        std::memset(&port, 0, sizeof port);
        std::memcpy(&port, &bytes_[index * width_], std::min(width_, sizeof port));
    }

private:
    std::vector<char> bytes_;
    size_t count_;
    size_t width_;
};

uint64_t state = 0x9e3779b97f4a7c15;

bool happens(unsigned of_256) {  // xorshift64
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (state >> 32 & 255) < of_256;
}

void clock(Vtop& core) {
    core.clk = 1;
    core.eval();
    core.clk = 0;
    core.eval();
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 7) return 2;
    const std::string directory = std::string(argv[1]) + "/";
    const Stream commands(directory + "commands.bin", std::stoul(argv[2]));
    const Stream fills(directory + "table_fill.bin", std::stoul(argv[3]));
    const Stream words(directory + "words.bin", std::stoul(argv[4]));
    const unsigned idle = std::stoul(argv[5]), deaf = std::stoul(argv[6]);

    VerilatedContext context;
    Vtop core(&context);
    core.rst = 1;
    core.clk = 0;
    core.commands___05Fvalid = core.words___05Fvalid = core.table_fill___05Fvalid = 0;
    core.results___05Fready = 0;
    core.eval();
    clock(core);
    core.rst = 0;
    for (size_t i = 0; i < fills.count(); ++i) {
        core.table_fill___05Fvalid = 1;
        fills.put(core.table_fill___05Fpayload, i);
        clock(core);
    }
    core.table_fill___05Fvalid = 0;
    core.eval();

    const size_t width = sizeof core.results___05Fpayload;
    std::vector<char> results(words.count() * width);
    size_t ordered = 0, sent = 0, taken = 0;
    uint64_t clocks = 0;
    bool orders = false, sends = false;  // what is offered stays until it is taken
    while (taken < words.count()) {
        orders = ordered < commands.count() && (orders || !happens(idle));
        sends = sent < words.count() && (sends || !happens(idle));
        core.commands___05Fvalid = orders;
        core.words___05Fvalid = sends;
        if (orders) commands.put(core.commands___05Fpayload, ordered);
        if (sends) words.put(core.words___05Fpayload, sent);
        core.results___05Fready = !happens(deaf);
        core.eval();
        if (core.results___05Fvalid && core.results___05Fready)
            std::memcpy(&results[width * taken++], &core.results___05Fpayload, width);
        if (orders && core.commands___05Fready) orders = false, ++ordered;
        if (sends && core.words___05Fready) sends = false, ++sent;
        clock(core);
        ++clocks;
    }
    std::ofstream(directory + "results.bin", std::ios::binary).write(results.data(), results.size());
    std::ofstream(directory + "clocks.txt") << clocks << '\n';
    core.final();
    return 0;
}
