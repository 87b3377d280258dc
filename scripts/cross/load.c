/* Loads an addon as a musl Node would: its symbols are all there, and so is the entry that Node calls. */
#include <dlfcn.h>
#include <stdio.h>

int main(int argc, char **argv) {
    void *addon = argc > 1 ? dlopen(argv[1], RTLD_NOW) : NULL;
    if (!addon || !dlsym(addon, "napi_register_module_v1")) {
        fprintf(stderr, "%s\n", dlerror());
        return 1;
    }
    puts("loaded");
    return 0;
}
