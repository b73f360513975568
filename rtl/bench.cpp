// Drives the Verilator model of a core without Python: fills the banks, then measures how long the
// clocks of one sequence take.
//
// usage: core DIRECTORY COMMANDS LEFT TOP RESULTS   (words of each stream)
// reads commands.bin, left_fill.bin, top_fill.bin; writes results.bin and rate.txt

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <ctime>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "Vtop.h"
#include "verilated.h"

// Verilator spells the port stream__field so, since it gives two underscores a meaning.
#define PORT(stream, field) stream##___05F##field

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

void clock(Vtop& core) {
    core.clk = 1;
    core.eval();
    core.clk = 0;
    core.eval();
}

void fill(Vtop& core, const Stream& left, const Stream& top) {
    for (size_t i = 0; i < std::max(left.count(), top.count()); ++i) {
        core.PORT(left_fill, valid) = i < left.count();
        core.PORT(top_fill, valid) = i < top.count();
        if (core.PORT(left_fill, valid)) left.put(core.PORT(left_fill, payload), i);
        if (core.PORT(top_fill, valid)) top.put(core.PORT(top_fill, payload), i);
        clock(core);
    }
    core.PORT(left_fill, valid) = 0;
    core.PORT(top_fill, valid) = 0;
    core.eval();
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 6) return 2;
    const std::string directory = std::string(argv[1]) + "/";
    const Stream commands(directory + "commands.bin", std::stoul(argv[2]));
    const Stream left(directory + "left_fill.bin", std::stoul(argv[3]));
    const Stream top(directory + "top_fill.bin", std::stoul(argv[4]));
    const size_t expected = std::stoul(argv[5]);

    VerilatedContext context;
    Vtop core(&context);
    core.rst = 1;
    core.clk = 0;
    core.PORT(commands, valid) = core.PORT(left_fill, valid) = core.PORT(top_fill, valid) = 0;
    core.PORT(results, ready) = 1;
    core.eval();
    clock(core);
    core.rst = 0;
    core.eval();
    fill(core, left, top);

    const size_t width = sizeof core.PORT(results, payload);
    std::vector<char> results(expected * width);
    size_t sent = 0, taken = 0;
    uint64_t clocks = 0;
    const std::clock_t start = std::clock();
    while (sent < commands.count() || taken < expected || !core.idle) {
        core.PORT(commands, valid) = sent < commands.count();
        if (core.PORT(commands, valid)) commands.put(core.PORT(commands, payload), sent);
        core.eval();  // ready may depend on what is offered
        sent += core.PORT(commands, valid) && core.PORT(commands, ready);
        if (core.PORT(results, valid) && taken < expected)
            std::memcpy(&results[width * taken++], &core.PORT(results, payload), width);
        clock(core);
        ++clocks;
    }
    const double seconds = double(std::clock() - start) / CLOCKS_PER_SEC;

    std::ofstream file(directory + "results.bin", std::ios::binary);
    file.write(results.data(), results.size());
    std::ofstream(directory + "rate.txt") << clocks << ' ' << seconds << ' ' << core.busy_cycles
                                          << ' ' << core.stall_cycles << '\n';
    core.final();
    return 0;
}
