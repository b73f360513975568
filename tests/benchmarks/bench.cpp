// Drives the Verilator model of a core without Python: fills the banks, then measures how long the
// clocks of one sequence take.
//
// usage: core DIRECTORY COMMANDS FIRST SECOND RESULTS   (words of each stream)
// reads commands.bin and a file for each fill; writes results.bin and rate.txt
// FIRST_FILL, SECOND_FILL are the names of the streams that fill memories, always ready

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
#define PORT(stream, field) JOIN(stream, field)
#define JOIN(stream, field) stream##___05F##field
#define TEXT(name) QUOTE(name)
#define QUOTE(name) #name

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

void fill(Vtop& core, const Stream& first, const Stream& second) {
    for (size_t i = 0; i < std::max(first.count(), second.count()); ++i) {
        core.PORT(FIRST_FILL, valid) = i < first.count();
        core.PORT(SECOND_FILL, valid) = i < second.count();
        if (core.PORT(FIRST_FILL, valid)) first.put(core.PORT(FIRST_FILL, payload), i);
        if (core.PORT(SECOND_FILL, valid)) second.put(core.PORT(SECOND_FILL, payload), i);
        clock(core);
    }
    core.PORT(FIRST_FILL, valid) = 0;
    core.PORT(SECOND_FILL, valid) = 0;
    core.eval();
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 6) return 2;
    const std::string directory = std::string(argv[1]) + "/";
    const Stream commands(directory + "commands.bin", std::stoul(argv[2]));
    const Stream first(directory + TEXT(FIRST_FILL) ".bin", std::stoul(argv[3]));
    const Stream second(directory + TEXT(SECOND_FILL) ".bin", std::stoul(argv[4]));
    const size_t expected = std::stoul(argv[5]);

    VerilatedContext context;
    Vtop core(&context);
    core.rst = 1;
    core.clk = 0;
    core.PORT(commands, valid) = core.PORT(FIRST_FILL, valid) = core.PORT(SECOND_FILL, valid) = 0;
    core.PORT(results, ready) = 1;
    core.eval();
    clock(core);
    core.rst = 0;
    core.eval();
    fill(core, first, second);

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
