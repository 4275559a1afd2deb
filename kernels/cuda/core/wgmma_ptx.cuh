// The PTX of wgmma.cuh's products: wgmma.mma_async names its accumulators one by one.
#pragma once
#include <cstdint>

namespace kith::kernels::cuda {

enum class Element { bf16, f16 };

#define KITH_8(i)                                                                                             \
  "+f"(d[i]), "+f"(d[i + 1]), "+f"(d[i + 2]), "+f"(d[i + 3]), "+f"(d[i + 4]), "+f"(d[i + 5]), "+f"(d[i + 6]), \
      "+f"(d[i + 7])
#define KITH_32(i) KITH_8(i), KITH_8(i + 8), KITH_8(i + 16), KITH_8(i + 24)
#define KITH_NAMES_32                                      \
  "%0,%1,%2,%3,%4,%5,%6,%7,%8,%9,%10,%11,%12,%13,%14,%15," \
  "%16,%17,%18,%19,%20,%21,%22,%23,%24,%25,%26,%27,%28,%29,%30,%31"
#define KITH_NAMES_64                                                \
  "%0,%1,%2,%3,%4,%5,%6,%7,%8,%9,%10,%11,%12,%13,%14,%15,"           \
  "%16,%17,%18,%19,%20,%21,%22,%23,%24,%25,%26,%27,%28,%29,%30,%31," \
  "%32,%33,%34,%35,%36,%37,%38,%39,%40,%41,%42,%43,%44,%45,%46,%47," \
  "%48,%49,%50,%51,%52,%53,%54,%55,%56,%57,%58,%59,%60,%61,%62,%63"
#define KITH_NAMES_128                                                           \
  "%0,%1,%2,%3,%4,%5,%6,%7,%8,%9,%10,%11,%12,%13,%14,%15,"                       \
  "%16,%17,%18,%19,%20,%21,%22,%23,%24,%25,%26,%27,%28,%29,%30,%31,"             \
  "%32,%33,%34,%35,%36,%37,%38,%39,%40,%41,%42,%43,%44,%45,%46,%47,"             \
  "%48,%49,%50,%51,%52,%53,%54,%55,%56,%57,%58,%59,%60,%61,%62,%63,"             \
  "%64,%65,%66,%67,%68,%69,%70,%71,%72,%73,%74,%75,%76,%77,%78,%79,"             \
  "%80,%81,%82,%83,%84,%85,%86,%87,%88,%89,%90,%91,%92,%93,%94,%95,"             \
  "%96,%97,%98,%99,%100,%101,%102,%103,%104,%105,%106,%107,%108,%109,%110,%111," \
  "%112,%113,%114,%115,%116,%117,%118,%119,%120,%121,%122,%123,%124,%125,%126,%127"
#define KITH_PRODUCT(columns, type, names, add, operands)                                                             \
  "{\n.reg .pred p;\nsetp.ne.b32 p, %" add ", 0;\nwgmma.mma_async.sync.aligned.m64n" columns "k16.f32." type "." type \
  " {" names "}, " operands ";\n}"

template <Element E>
__device__ __forceinline__ void wgmma_shared(float (&d)[32], uint64_t a, uint64_t b, int add) {
  if constexpr (E == Element::bf16)
    asm volatile(KITH_PRODUCT("64", "bf16", KITH_NAMES_32, "34", "%32, %33, p, 1, 1, 0, 0")
                 : KITH_32(0)
                 : "l"(a), "l"(b), "r"(add));
  else
    asm volatile(KITH_PRODUCT("64", "f16", KITH_NAMES_32, "34", "%32, %33, p, 1, 1, 0, 0")
                 : KITH_32(0)
                 : "l"(a), "l"(b), "r"(add));
}
template <Element E>
__device__ __forceinline__ void wgmma_registers(float (&d)[32], const uint32_t (&a)[4], uint64_t b, int add) {
  if constexpr (E == Element::bf16)
    asm volatile(KITH_PRODUCT("64", "bf16", KITH_NAMES_32, "37", "{%32,%33,%34,%35}, %36, p, 1, 1, 0")
                 : KITH_32(0)
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b), "r"(add));
  else
    asm volatile(KITH_PRODUCT("64", "f16", KITH_NAMES_32, "37", "{%32,%33,%34,%35}, %36, p, 1, 1, 0")
                 : KITH_32(0)
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b), "r"(add));
}

__device__ __forceinline__ void wgmma_registers_across(float (&d)[32], const uint32_t (&a)[4], uint64_t b, int add) {
  asm volatile(KITH_PRODUCT("64", "bf16", KITH_NAMES_32, "37", "{%32,%33,%34,%35}, %36, p, 1, 1, 1")
               : KITH_32(0)
               : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b), "r"(add));
}

template <Element E>
__device__ __forceinline__ void wgmma_shared(float (&d)[64], uint64_t a, uint64_t b, int add) {
  if constexpr (E == Element::bf16)
    asm volatile(KITH_PRODUCT("128", "bf16", KITH_NAMES_64, "66", "%64, %65, p, 1, 1, 0, 0")
                 : KITH_32(0), KITH_32(32)
                 : "l"(a), "l"(b), "r"(add));
  else
    asm volatile(KITH_PRODUCT("128", "f16", KITH_NAMES_64, "66", "%64, %65, p, 1, 1, 0, 0")
                 : KITH_32(0), KITH_32(32)
                 : "l"(a), "l"(b), "r"(add));
}
template <Element E>
__device__ __forceinline__ void wgmma_registers(float (&d)[64], const uint32_t (&a)[4], uint64_t b, int add) {
  if constexpr (E == Element::bf16)
    asm volatile(KITH_PRODUCT("128", "bf16", KITH_NAMES_64, "69", "{%64,%65,%66,%67}, %68, p, 1, 1, 0")
                 : KITH_32(0), KITH_32(32)
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b), "r"(add));
  else
    asm volatile(KITH_PRODUCT("128", "f16", KITH_NAMES_64, "69", "{%64,%65,%66,%67}, %68, p, 1, 1, 0")
                 : KITH_32(0), KITH_32(32)
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b), "r"(add));
}

__device__ __forceinline__ void wgmma_registers_across(float (&d)[64], const uint32_t (&a)[4], uint64_t b, int add) {
  asm volatile(KITH_PRODUCT("128", "bf16", KITH_NAMES_64, "69", "{%64,%65,%66,%67}, %68, p, 1, 1, 1")
               : KITH_32(0), KITH_32(32)
               : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b), "r"(add));
}

template <Element E>
__device__ __forceinline__ void wgmma_shared(float (&d)[128], uint64_t a, uint64_t b, int add) {
  if constexpr (E == Element::bf16)
    asm volatile(KITH_PRODUCT("256", "bf16", KITH_NAMES_128, "130", "%128, %129, p, 1, 1, 0, 0")
                 : KITH_32(0), KITH_32(32), KITH_32(64), KITH_32(96)
                 : "l"(a), "l"(b), "r"(add));
  else
    asm volatile(KITH_PRODUCT("256", "f16", KITH_NAMES_128, "130", "%128, %129, p, 1, 1, 0, 0")
                 : KITH_32(0), KITH_32(32), KITH_32(64), KITH_32(96)
                 : "l"(a), "l"(b), "r"(add));
}
template <Element E>
__device__ __forceinline__ void wgmma_registers(float (&d)[128], const uint32_t (&a)[4], uint64_t b, int add) {
  if constexpr (E == Element::bf16)
    asm volatile(KITH_PRODUCT("256", "bf16", KITH_NAMES_128, "133", "{%128,%129,%130,%131}, %132, p, 1, 1, 0")
                 : KITH_32(0), KITH_32(32), KITH_32(64), KITH_32(96)
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b), "r"(add));
  else
    asm volatile(KITH_PRODUCT("256", "f16", KITH_NAMES_128, "133", "{%128,%129,%130,%131}, %132, p, 1, 1, 0")
                 : KITH_32(0), KITH_32(32), KITH_32(64), KITH_32(96)
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b), "r"(add));
}

#undef KITH_8
#undef KITH_32
#undef KITH_NAMES_32
#undef KITH_NAMES_64
#undef KITH_NAMES_128
#undef KITH_PRODUCT

}  // namespace kith::kernels::cuda
