/* 1024 exported functions. With them the seven functions are spread over several pages of
 * .dynsym. */
#define ONE(n) \
  void symbol_##n(void) {}
#define FOUR(n) ONE(n##0) ONE(n##1) ONE(n##2) ONE(n##3)
#define SIXTEEN(n) FOUR(n##0) FOUR(n##1) FOUR(n##2) FOUR(n##3)
#define SIXTY_FOUR(n) SIXTEEN(n##0) SIXTEEN(n##1) SIXTEEN(n##2) SIXTEEN(n##3)
#define ALL(n) SIXTY_FOUR(n##0) SIXTY_FOUR(n##1) SIXTY_FOUR(n##2) SIXTY_FOUR(n##3)
ALL(n) ALL(m) ALL(o) ALL(p)
