/* Whether this CPU, and its operating system, have what core.c was compiled for: told by
   <cpuid.h>, since __builtin_cpu_supports needs a library that clang lacks on Windows. */

#if defined(__AVX2__)
#include <cpuid.h>
/* Instructions, and bits of the registers that the system keeps for each thread: 1 and 2 for
   those of AVX, 5 to 7 for those of AVX-512, which macOS keeps from their first use on. */
#if defined(__AVX512F__)
#define NEEDED (bit_AVX2 | bit_AVX512F | bit_AVX512DQ | bit_AVX512BW | (uint32_t)bit_AVX512VL)
#else
#define NEEDED bit_AVX2
#endif
#if defined(__AVX512F__) && !defined(__APPLE__)
#define KEPT 0xe6
#else
#define KEPT 0x06
#endif

EXPORT int runs_here(void) {
    uint32_t a, b, c, d, kept, high;
    const uint32_t first = bit_FMA | bit_OSXSAVE;
    if (!__get_cpuid(1, &a, &b, &c, &d) || (c & first) != first) return 0;
    __asm__ volatile("xgetbv" : "=a"(kept), "=d"(high) : "c"(0));
    if ((kept & KEPT) != KEPT) return 0;
    return __get_cpuid_count(7, 0, &a, &b, &c, &d) && (b & NEEDED) == NEEDED;
}
#else
EXPORT int runs_here(void) { return 1; }
#endif
