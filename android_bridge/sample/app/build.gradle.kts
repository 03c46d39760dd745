plugins {
    alias(libs.plugins.android.application)
    alias(libs.plugins.kotlin.android)
}

android {
    namespace = "io.handlens.sample"
    compileSdk = 36

    defaultConfig {
        applicationId = "io.handlens.sample"
        minSdk = 24
        targetSdk = 36
        versionCode = 1
        versionName = "0.1.0"
        // Old phones and emulators are left out; each ABI adds a runtime of some megabytes.
        ndk { abiFilters += listOf("arm64-v8a", "x86_64") }
    }

    // Artifacts that lie uncompressed in the APK are mapped into memory, not copied.
    androidResources { noCompress += listOf("tflite", "onnx") }

    buildTypes {
        release {
            isMinifyEnabled = true
            proguardFiles(getDefaultProguardFile("proguard-android-optimize.txt"))
        }
    }

    compileOptions {
        sourceCompatibility = JavaVersion.VERSION_11
        targetCompatibility = JavaVersion.VERSION_11
    }

    // Native libraries uncompressed, so that phones with 16 KB pages map them as they are.
    packaging { jniLibs { useLegacyPackaging = false } }
}

kotlin { jvmToolchain(17) }

dependencies {
    // The library, its artifacts, and an engine for them. Another engine instead:
    // implementation(libs.handlens) { exclude(group = "com.google.ai.edge.litert") }
    implementation(libs.handlens)
    implementation(libs.androidx.activity)
    implementation(libs.androidx.lifecycle)
    implementation(libs.camera.camera2)
    implementation(libs.camera.lifecycle)
    implementation(libs.camera.view)
}
